"""The style of the HTML report: light and dark, one column, colours that are never the only sign."""

STYLE = """
:root {
  --ground: #f6f7f9; --sheet: #fff; --ink: #1b2430; --soft: #5b6675; --line: #dfe3e8; --code: #f1f3f6;
  --passed: #1a7f4b; --failed: #c62f2f; --broken: #a85b00; --skipped: #68727f;
  --passed-tint: #e5f4ec; --failed-tint: #fdecec; --broken-tint: #fdf1e0; --skipped-tint: #eceff2;
  --real: #24577a; --real-tint: #e5eff7; --simulated: #6b3fa0; --simulated-tint: #f1eafa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161c; --sheet: #1b212a; --ink: #e6eaf0; --soft: #9aa6b5; --line: #303945; --code: #12171e;
    --passed: #5fd097; --failed: #ff8a8a; --broken: #f5b45c; --skipped: #a3adba;
    --passed-tint: #16342a; --failed-tint: #42201f; --broken-tint: #3b2b12; --skipped-tint: #29313b;
    --real: #8cc4ee; --real-tint: #183042; --simulated: #cdaef7; --simulated-tint: #302346;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
a { color: inherit; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; display: flex; gap: .75rem; align-items: baseline; flex-wrap: wrap; }
h2 small { font-weight: 400; color: var(--soft); font-size: .875rem; }
h4 { margin: .75rem 0 .25rem; font-size: .8rem; color: var(--soft); }
p { margin: .25rem 0; }
pre { margin: 0; padding: .6rem .75rem; background: var(--code); border-radius: 6px;
  font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  max-height: 24rem; overflow: auto; }
dl { margin: .25rem 0; display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; }
.banner { --tone: var(--broken); --tint: var(--broken-tint); background: var(--sheet); border-radius: 10px;
  border: 1px solid var(--line); border-left: 10px solid var(--tone); padding: 1.25rem 1.5rem; }
.banner.pass { --tone: var(--passed); }
.banner.fail, .banner.safety { --tone: var(--failed); }
.banner h1 { margin: 0; color: var(--tone); font-size: 2.75rem; line-height: 1.15; letter-spacing: .02em; }
.over { color: var(--soft); margin: 0; }
.meaning { font-size: 1.15rem; }
.message { overflow-wrap: anywhere; }
.badges { display: flex; flex-wrap: wrap; gap: .4rem; margin-top: .75rem; }
.badge { display: inline-block; padding: .05rem .6rem; border-radius: 999px; font-size: .8rem; font-weight: 600;
  white-space: nowrap; }
.badge.passed { color: var(--passed); background: var(--passed-tint); }
.badge.failed { color: var(--failed); background: var(--failed-tint); }
.badge.broken { color: var(--broken); background: var(--broken-tint); }
.badge.skipped, .badge.blocked { color: var(--skipped); background: var(--skipped-tint); }
.badge.real { color: var(--real); background: var(--real-tint); }
.badge.simulated { color: var(--simulated); background: var(--simulated-tint); }
.facts { margin: 1.25rem .25rem 0; font-size: .92rem; }
.problems ol { margin: 0; padding: 0 0 0 1.25rem; }
.problems li { margin-bottom: .6rem; }
.problems p, .description { color: var(--soft); overflow-wrap: anywhere; }
.scenario { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; }
.scenario > summary { display: flex; gap: .75rem; align-items: baseline; padding: .6rem .9rem; list-style: none; }
.scenario > summary::-webkit-details-marker { display: none; }
.scenario > summary .badge { min-width: 5.2rem; text-align: center; }
.scenario > summary .name { font-weight: 600; }
.name { flex: 1; overflow-wrap: anywhere; }
.took { color: var(--soft); font-size: .85rem; white-space: nowrap; }
.inside { border-top: 1px solid var(--line); padding: .75rem .9rem; }
.error { border-left: 4px solid var(--failed); background: var(--failed-tint); border-radius: 6px; padding: .6rem .9rem;
  margin-bottom: .75rem; }
.error.broken { border-color: var(--broken); background: var(--broken-tint); }
.error .what { font-weight: 600; white-space: pre-wrap; overflow-wrap: anywhere; }
.error dl { font-size: .92rem; }
.steps { list-style: none; margin: 0; padding: 0; }
.steps > li { padding: .15rem 0; }
.steps .line, .steps > li > details > summary { display: flex; gap: .6rem; align-items: baseline; }
.steps > li > details > summary { list-style: none; }
.steps > li > details > summary::-webkit-details-marker { display: none; }
.steps > li > details > summary .name::after { content: " \\25B8"; color: var(--soft); }
.steps > li > details[open] > summary .name::after { content: " \\25BE"; }
.step_events { list-style: none; margin: .15rem 0 .6rem .45rem; padding: 0 0 0 1.2rem;
  border-left: 2px solid var(--line); font-size: .92rem; }
.step_events > li { padding: .15rem 0; overflow-wrap: anywhere; }
.step_events dl { margin-left: 1.4rem; font-size: .88rem; }
.mark { display: inline-block; width: 1rem; margin-right: .3rem; font-weight: 700; text-align: center; }
.mark.passed { color: var(--passed); } .mark.passed::before { content: "\\2713"; }
.mark.failed { color: var(--failed); } .mark.failed::before { content: "\\2717"; }
.mark.broken { color: var(--broken); } .mark.broken::before { content: "!"; }
.mark.skipped, .mark.blocked { color: var(--skipped); }
.mark.skipped::before, .mark.blocked::before { content: "\\2013"; }
.reason { color: var(--soft); }
.origin { margin-top: .75rem; color: var(--soft); font-size: .8rem; overflow-wrap: anywhere; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .8rem; overflow-wrap: anywhere; }
@media print { .scenario > summary { break-after: avoid; } pre { max-height: none; } }
"""
