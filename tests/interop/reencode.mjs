// Decodes and re-encodes XDR with SDF's Rust codec. stdin: [[type, base64], ...]; stdout: {checked, differences}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import init, { decode, encode } from "@stellar/stellar-xdr-json";

const require = createRequire(import.meta.url);
const home = dirname(require.resolve("@stellar/stellar-xdr-json"));
await init(readFileSync(join(home, "stellar_xdr_json_bg.wasm")));

const blobs = JSON.parse(readFileSync(0, "utf8"));
const differences = [];
for (const [type, blob] of blobs) {
  try {
    const again = encode(type, decode(type, blob));
    if (again !== blob) differences.push({ type, blob, again });
  } catch (error) {
    differences.push({ type, blob, error: String(error) });
  }
}
process.stdout.write(JSON.stringify({ checked: blobs.length, differences }));
