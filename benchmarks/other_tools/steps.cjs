// The steps of reads.feature for cucumber-js.
const assert = require("node:assert");
const { When, Then } = require("@cucumber/cucumber");

When(/^a client reads "(.*)" (with|without) its key$/, async function (path, how) {
  const headers = how === "with" ? { "x-api-key": process.env.KEY } : {};
  this.answer = await fetch(process.env.BASE + path, { headers });
  this.text = await this.answer.text();
});

Then("the answer has status {int}", function (status) {
  assert.strictEqual(this.answer.status, status);
});

Then(/^the answer has the fields "(.*)"$/, function (fields) {
  if (!fields) return;
  const content = JSON.parse(this.text);
  for (const field of fields.split(",")) assert.ok(field in content, field);
});
