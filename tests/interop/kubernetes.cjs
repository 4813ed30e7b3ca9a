// Reads Kubernetes objects as a JSON list from standard input and prints, for each, what its published model says.
const { Rollout } = require("@kubernetes-models/argo-rollouts/argoproj.io/v1alpha1/Rollout");
const { Deployment } = require("kubernetes-models/apps/v1/Deployment");
const { ReplicaSet } = require("kubernetes-models/apps/v1/ReplicaSet");
const { Service } = require("kubernetes-models/v1/Service");

const MODELS = { Deployment, ReplicaSet, Rollout, Service };

function problem(object) {
  try {
    new MODELS[object.kind](object).validate();
    return null;
  } catch (error) {
    return String(error.message);
  }
}

const objects = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(objects.map(problem)));
