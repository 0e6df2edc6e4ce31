#include "style.hpp"

namespace natkit::html {

Markup style() {
    return Markup().put(R"css(
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --line: #dde1e7; --ink: #1b2530; --dim: #5b6875; --soft: #eef1f5;
  --red: #b3261e; --red-soft: #fdecea; --green: #1b7a3d; --amber: #8a5a00; --amber-soft: #fff4dc;
  --blue: #1f5fae; --blue-soft: #e3eefb; --violet: #6b3fa0;
  --sent: #b9cde8; --arrived: #1f5fae; --dead: #f7c9c4; --unmeant: #e3e6ea;
  --lan: #dbe9ff; --wan: #ddf4e0; --far: #fff0cc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11161c; --card: #1a2129; --line: #313b46; --ink: #e4e9ee; --dim: #9aa7b4; --soft: #232c36;
    --red: #ff8a80; --red-soft: #3b1f1f; --green: #7bd69b; --amber: #f2c063; --amber-soft: #3a2e14;
    --blue: #8ab8f5; --blue-soft: #1d2f47; --violet: #c7a5f2;
    --sent: #34506f; --arrived: #8ab8f5; --dead: #5c2a2a; --unmeant: #2a323b;
    --lan: #22364f; --wan: #1f3a28; --far: #43371a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 16px; }
footer { max-width: 1120px; margin: 0 auto; padding: 0 20px 40px; color: var(--dim); font-size: 13px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 22px; line-height: 1.3; margin: 0; }
h2.quiet { font-size: 14px; color: var(--dim); font-weight: 600; margin: 26px 0 8px; }
h3 { font-size: 16px; margin: 0; }
h4 { font-size: 14px; margin: 18px 0 6px; color: var(--dim); }
p { margin: 0 0 6px; }
a { color: var(--blue); }
code { font: 0.92em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.dim { color: var(--dim); }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; list-style: none; margin: 0 0 18px; padding: 0; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 18px; min-width: 116px; color: var(--dim); }
.tiles b { display: block; font-size: 28px; line-height: 1.2; color: var(--ink); font-variant-numeric: tabular-nums; }
.tiles .broken b { color: var(--red); }
.tiles .healthy b { color: var(--green); }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; font-size: 16px; padding: 0 0 6px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--dim); font-weight: 600; font-size: 13px; white-space: nowrap; }
tbody th { font-weight: 600; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
.n { text-align: right; white-space: nowrap; }
tr.lost td { color: var(--red); }
.causes { background: var(--card); border: 1px solid var(--line); border-radius: 10px; border-collapse: separate; border-spacing: 0; padding: 12px 16px 6px; }
.causes caption { font-size: 14px; color: var(--dim); padding-top: 2px; }
.causes td:nth-child(2) { white-space: nowrap; }
.cause { background: var(--soft); border-radius: 5px; padding: 1px 6px; font-size: 13px; }
.lines { list-style: none; margin: 0; padding: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.lines li { padding: 9px 16px; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.lines li:last-child { border-bottom: 0; }
.lines .dim { font-size: 13px; }
.clock { color: var(--dim); font-variant-numeric: tabular-nums; }
.note { margin: 3px 0 0; font-size: 13.5px; color: var(--dim); }
.call { background: var(--card); border: 1px solid var(--line); border-top: 4px solid var(--red); border-radius: 12px; margin: 28px 0; padding: 20px 24px 16px; scroll-margin-top: 12px; }
.eyebrow { color: var(--dim); font-size: 13.5px; margin: 0 0 4px; overflow-wrap: anywhere; }
.finding { margin: 14px 0 0; padding: 0; }
.root { background: var(--red-soft); border-left: 4px solid var(--red); border-radius: 8px; padding: 14px 18px 10px; }
.root .sentence { font-size: 17px; line-height: 1.45; }
.sentence, .remedy { overflow-wrap: anywhere; }
.remedy { margin-top: 6px; }
.proof { margin: 8px 0 0; font-size: 13px; color: var(--dim); display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; }
.root .cause { background: color-mix(in srgb, var(--card) 65%, transparent); }
.pill { border: 1px solid currentColor; border-radius: 99px; padding: 0 9px; font-size: 12px; font-weight: 600; }
.pill.seen { color: var(--green); }
.pill.inferred { color: var(--blue); }
.pill.possible { color: var(--amber); }
.frameref b { color: var(--ink); font-weight: 600; }
ul.finding { list-style: none; }
ul.finding li { margin: 0 0 10px 22px; padding: 2px 0 2px 14px; border-left: 3px solid var(--red); }
ul.information li { border-left-color: var(--blue); }
.finding + h4 { margin-top: 16px; }
h4 + ul.finding { margin-top: 0; }
.who { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 2px 28px; margin: 18px 0; padding: 14px 0; border: solid var(--line); border-width: 1px 0; font-size: 14px; }
.who div { display: grid; grid-template-columns: 84px 1fr; gap: 10px; }
.who .long { grid-column: 1 / -1; }
.who dt { color: var(--dim); }
.who dd { margin: 0; overflow-wrap: anywhere; }
.good { color: var(--green); }
.bad { color: var(--red); font-weight: 700; }
figure { margin: 24px 0; }
figcaption { display: flex; flex-wrap: wrap; gap: 2px 22px; align-items: baseline; margin: 0 0 8px; }
.legend { margin: 0; font-size: 13px; color: var(--dim); }
.key { white-space: nowrap; margin-right: 12px; }
.key::before { content: ""; display: inline-block; width: 14px; height: 10px; margin-right: 6px; border-radius: 2px; }
.sent-key::before { background: var(--sent); }
.arrived-key::before { background: var(--arrived); height: 3px; vertical-align: 3px; }
.dead-key::before { background: var(--dead); }
.unmeant-key::before { background: var(--unmeant); }
.wide { overflow-x: auto; margin: 0 0 18px; }
.wide:focus-visible, summary:focus-visible, a:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
.media td, .media th { padding-right: 16px; }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--blue); padding: 4px 0; }
details > .wide { margin-top: 6px; }
section.healthy { margin-top: 32px; }
section.healthy h2 { display: inline; font-size: 18px; color: var(--ink); }
svg { display: block; height: auto; font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; font-size: 12.5px; }
svg text { fill: var(--ink); }
svg path { fill: none; }
.timeline { width: 100%; min-width: 720px; }
.timeline .ground { fill: var(--soft); opacity: 0.55; }
.timeline .grid { stroke: var(--line); stroke-width: 1; opacity: 0.8; }
.timeline .tick { fill: var(--dim); font-size: 12px; }
.timeline .band { font-weight: 600; font-size: 13px; }
.timeline .sent { fill: var(--sent); opacity: 0.9; }
.timeline .arrived { stroke: var(--arrived); stroke-width: 1.8; stroke-linejoin: round; }
.timeline .dead { fill: var(--dead); opacity: 0.6; }
.timeline .unmeant { fill: var(--unmeant); }
.timeline .dead-word { fill: var(--red); font-size: 12px; font-weight: 600; }
.timeline .unmeant-word { fill: var(--dim); font-size: 12px; }
.timeline .band, .timeline .dead-word, .timeline .phase text { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
.timeline .dead-word { stroke: var(--dead); }
.timeline .phase path { stroke: var(--dim); stroke-width: 1; stroke-dasharray: 3 3; }
.timeline .phase text { fill: var(--dim); font-size: 12px; }
.ladder { max-width: none; }
.ladder .role { font-weight: 700; }
.ladder .name { fill: var(--dim); font-size: 12px; }
.ladder .life { stroke: var(--line); stroke-width: 1.5; }
.ladder .when, .ladder .frame, .ladder .more { fill: var(--dim); font-size: 11.5px; font-variant-numeric: tabular-nums; }
.ladder .detail { fill: var(--dim); font-size: 11.5px; }
.ladder .what { font-weight: 600; }
.ladder .what, .ladder .detail { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
.ladder .shaft { stroke: var(--row); stroke-width: 1.6; }
.ladder .head { fill: var(--row); }
.ladder .cross { stroke: var(--red); stroke-width: 2.4; }
.ladder .row { --row: var(--ink); }
.ladder .provisional { --row: var(--dim); }
.ladder .success { --row: var(--green); }
.ladder .failure { --row: var(--red); }
.ladder .media { --row: var(--violet); }
.ladder .media .shaft { stroke-width: 4; opacity: 0.55; }
.ladder .lost .shaft { stroke: var(--red); stroke-dasharray: 5 3; }
.ladder .success .what, .ladder .failure .what, .ladder .media .what { fill: var(--row); }
.ladder .lost .what, .ladder .lost .detail { fill: var(--red); }
.ladder .mark { fill: var(--amber-soft); }
.ladder .evidence .what, .ladder .evidence .detail { stroke: var(--amber-soft); }
.paths { max-width: none; font-size: 13px; }
.paths .f-ink { fill: var(--ink); } .paths .f-red { fill: var(--red); } .paths .f-green { fill: var(--green); } .paths .f-grey { fill: var(--dim); }
.paths .s-ink { stroke: var(--ink); } .paths .s-red { stroke: var(--red); } .paths .s-green { stroke: var(--green); } .paths .s-grey { stroke: var(--dim); }
.paths .f-lan { fill: var(--lan); } .paths .f-wan { fill: var(--wan); } .paths .f-far { fill: var(--far); }
@media (max-width: 640px) {
  main { padding: 20px 12px 8px; }
  h1 { font-size: 24px; }
  h2 { font-size: 19px; }
  .call { padding: 16px 14px 10px; }
  .tiles li { flex: 1 1 90px; min-width: 90px; padding: 8px 12px; }
  .causes td:nth-child(2) { white-space: normal; }
  .who { grid-template-columns: 1fr; }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --line: #ccc; --ink: #000; --dim: #444; --soft: #f1f1f1; --red: #a3160f; --red-soft: #fff;
    --green: #14602f; --amber: #6e4700; --amber-soft: #fdf3da; --blue: #174a89; --blue-soft: #fff; --violet: #56308a;
    --sent: #b9cde8; --arrived: #174a89; --dead: #f7c9c4; --unmeant: #e3e6ea; --lan: #dbe9ff; --wan: #ddf4e0; --far: #fff0cc;
  }
  @page { margin: 14mm; }
  body { font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main, footer { max-width: none; padding: 0; }
  .call { border: 0; border-top: 3px solid var(--red); border-radius: 0; padding: 10px 0; break-before: page; }
  nav + .call, section + .call { break-before: auto; }
  h2, h3, h4, figcaption, caption { break-after: avoid; }
  .root, .who, tr, .lines li, ul.finding li, .tiles li { break-inside: avoid; }
  .wide { overflow: visible; }
  svg, .timeline { max-width: 100%; min-width: 0; }
  .timeline, .paths { break-inside: avoid; }
  table { font-size: 8.5pt; }
  th, td { padding-right: 8px; }
  thead th { white-space: normal; }
  details::details-content { content-visibility: visible; display: block; }
  nav a { display: none; }
}
)css");
}

}  // namespace natkit::html
