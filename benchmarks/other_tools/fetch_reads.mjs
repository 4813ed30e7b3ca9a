// The reads by plain fetch in Node.
import assert from "node:assert";
import { readFileSync } from "node:fs";

for (const { path, with_key, status, fields } of JSON.parse(readFileSync(process.env.READS_JSON, "utf8"))) {
  const answer = await fetch(process.env.BASE + path, { headers: with_key ? { "x-api-key": process.env.KEY } : {} });
  assert.strictEqual(answer.status, status, path);
  const text = await answer.text();
  const content = fields.length ? JSON.parse(text) : {};
  for (const field of fields) assert.ok(field in content, `${path}: ${field}`);
}
