// The reads by k6. A check that fails crosses the threshold, and k6 ends with 99.
import http from "k6/http";
import { check } from "k6";

const reads = JSON.parse(open(__ENV.READS_JSON));
export const options = { vus: 1, iterations: 1, thresholds: { checks: ["rate==1"] } };

export default function () {
  for (const { path, with_key, status, fields } of reads) {
    const answer = http.get(__ENV.BASE + path, { headers: with_key ? { "x-api-key": __ENV.KEY } : {} });
    check(answer, {
      status: (it) => it.status === status,
      fields: (it) => fields.every((field) => it.json()[field] !== undefined),
    });
  }
}
