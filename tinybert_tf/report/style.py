"""The look of the page, light and dark."""

# Okabe and Ito's hues, told apart with every kind of colour blindness.
_LIGHT = """
--paper:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--head:#123047;
--blue:#0072b2;--red:#d55e00;--good:#00835f;--warn:#fff4df;--wash:#e8f1f7;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b3578f;--c4:#8a6d00;--c5:#4a5568;color-scheme:light;
"""
_DARK = """
--paper:#12161c;--card:#1a2029;--ink:#e8ecf1;--soft:#9aa6b5;--line:#303946;--head:#0d2536;
--blue:#4aa8e0;--red:#ff8a4a;--good:#37c79b;--warn:#33291a;--wash:#20303d;
--c0:#4aa8e0;--c1:#ff8a4a;--c2:#37c79b;--c3:#e08fc0;--c4:#e0c341;--c5:#a9b4c2;color-scheme:dark;
"""

STYLE = (
    f":root{{{_LIGHT}}}"
    f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_DARK}}}}}"
    f":root[data-theme=dark]{{{_DARK}}}"
    """
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:56px;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
header{background:var(--head);color:#fff;padding:28px 0 30px}
header>div,main,nav>div,footer{max-width:1120px;margin:0 auto;padding:0 20px}
h1{font-size:28px;line-height:1.2;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
.facts{margin:4px 0 18px;color:#b9cad8;overflow-wrap:anywhere}
#theme{float:right;border:1px solid #ffffff40;background:none;color:#fff;border-radius:8px;
  width:36px;height:36px;font-size:17px;line-height:1;cursor:pointer}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(126px,1fr));gap:10px}
.tile{background:#ffffff14;border-radius:10px;padding:10px 14px}
.tile b{display:block;font-size:21px;line-height:1.25;font-weight:650;white-space:nowrap}
.tile span{color:#b9cad8;font-size:13px;overflow-wrap:anywhere}
nav{position:sticky;top:0;z-index:5;background:var(--card);border-bottom:1px solid var(--line)}
nav>div{display:flex;gap:22px;overflow-x:auto;scrollbar-width:none}
nav a{padding:12px 0;color:var(--soft);text-decoration:none;white-space:nowrap;font-weight:550}
nav a:hover{color:var(--blue)}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;
  padding:22px 24px 24px;margin:20px 0}
h2{font-size:20px;line-height:1.3;margin:0}
h3{font-size:15px;margin:0 0 8px;font-weight:620}
.lead{margin:2px 0 16px;color:var(--soft);max-width:74ch}
.missing{margin:8px 0 0;background:var(--warn);border-radius:8px;padding:9px 13px}
.fine{margin:8px 0 0;color:var(--good);font-weight:600}
code{font:.92em ui-monospace,Menlo,Consolas,monospace;background:#8881;border-radius:4px;
  padding:1px 5px;white-space:nowrap}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));
  gap:20px 34px;align-items:start;margin-top:12px}
.pair>*{min-width:0}
.stage+.stage{border-top:1px solid var(--line);margin-top:18px;padding-top:16px}
figure{margin:0}
.chart{display:block;width:100%;height:auto}
.pair .chart{max-width:520px}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch;border-radius:6px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:550;color:var(--soft);font-size:13px;white-space:nowrap}
th,td{padding:6px 16px 6px 0;border-bottom:1px solid var(--line);vertical-align:top}
td{overflow-wrap:break-word}
tr>:last-child{padding-right:0}
tbody tr:last-child td{border-bottom:0}
.number{text-align:right}
#models td{white-space:nowrap}
#models small{display:block;color:var(--soft);font-size:13px}
.bar{position:relative;display:inline-block;width:100%;min-width:92px;border-radius:4px;
  background:#8881;overflow:hidden;vertical-align:top}
.bar .fill{position:absolute;inset:0 auto 0 0;background:var(--blue);opacity:.22}
.bar .fill.good{background:var(--good)}
.bar .fill.bad{background:var(--red)}
.bar .value{position:relative;padding:0 7px;white-space:nowrap}
.errors .text{display:block;min-width:230px;max-width:52ch;overflow-wrap:anywhere}
svg text{fill:var(--soft);font:11px system-ui,sans-serif}
svg .middle{text-anchor:middle}
svg .end{text-anchor:end}
svg .axis{font-size:12px;fill:var(--ink)}
.grid{stroke:var(--line);stroke-width:1}
.frame{fill:none;stroke:var(--line)}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}
.curve.dev{stroke-dasharray:5 4}
.dot.dev{fill:var(--card)}
.column{fill:var(--blue)}
.bin{fill:var(--blue);opacity:.75}
.gap{opacity:.6}
.gap.over{fill:var(--red)}
.gap.under{fill:var(--c2)}
.diagonal{stroke:var(--soft);stroke-dasharray:5 4;stroke-width:1.5}
rect.right{fill:var(--blue)}
rect.wrong{fill:var(--red)}
svg .count{text-anchor:middle;fill:var(--ink)}
svg .count.strong{fill:var(--card);font-weight:600}
[data-tip]:hover{stroke:var(--ink);stroke-width:1.5}
.matrix{margin:0 auto 16px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;color:var(--soft);font-size:13px;margin-top:6px}
.key{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;
  vertical-align:-1px;background:currentColor}
.key.right{background:var(--blue);opacity:.75}
.key.over{background:var(--red);opacity:.6}
.key.under{background:var(--c2);opacity:.6}
.key.dev{width:20px;height:0;background:none;border-top:2px dashed var(--soft);border-radius:0;
  vertical-align:4px}
"""
    + "".join(
        f".curve.c{k}{{stroke:var(--c{k})}}.dot.c{k}{{stroke:var(--c{k});stroke-width:1.5}}"
        f".dot.c{k}:not(.dev){{fill:var(--c{k})}}.key.c{k}{{background:var(--c{k})}}"
        for k in range(6)
    )
    + """
.choices{display:flex;flex-wrap:wrap;gap:8px;margin-bottom:10px}
.choices button{border:1px solid var(--line);background:none;color:var(--ink);font:inherit;
  border-radius:16px;padding:4px 13px;cursor:pointer;max-width:100%;overflow:hidden;
  text-overflow:ellipsis;white-space:nowrap}
.choices button[aria-pressed=true]{background:var(--wash);border-color:var(--blue);
  color:var(--blue);font-weight:600}
.model-head{display:flex;justify-content:space-between;align-items:baseline;gap:12px;
  flex-wrap:wrap}
.model-head select{font:inherit;font-size:14px;color:var(--ink);background:var(--card);
  border:1px solid var(--line);border-radius:8px;padding:3px 8px}
.readout{min-height:1.5em;margin:4px 0 6px;color:var(--soft);font-variant-numeric:tabular-nums;
  overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.readout b{color:var(--ink)}
.map{display:block;touch-action:pan-y;max-width:100%}
.blocks{display:flex;flex-wrap:wrap;gap:8px;margin-top:12px}
.blocks button{border:1px solid var(--line);background:none;border-radius:8px;padding:5px;
  cursor:pointer;color:var(--soft);font:12px system-ui,sans-serif}
.blocks button[aria-pressed=true]{border-color:var(--blue);color:var(--blue);
  box-shadow:0 0 0 1px var(--blue)}
.blocks canvas{display:block;width:56px;height:56px;margin-bottom:3px;image-rendering:pixelated}
summary{cursor:pointer;font-weight:600}
footer{padding:8px 20px 40px;color:var(--soft);font-size:13px}
#tip{position:fixed;z-index:9;pointer-events:none;background:var(--ink);color:var(--paper);
  font-size:13px;line-height:1.35;padding:5px 10px;border-radius:6px;max-width:min(320px,90vw);
  opacity:0;left:0;top:0}
@media (max-width:600px){
  header>div,main,nav>div,footer{padding-left:14px;padding-right:14px}
  section{padding:18px 14px;border-radius:12px;margin:14px 0}
  h1{font-size:23px}
  .tiles{grid-template-columns:repeat(2,1fr);gap:8px}
  .tile b{font-size:18px}
  #models small{white-space:normal;max-width:16ch}
  .errors .text{min-width:150px}
}
@media print{nav,#theme{display:none}section{break-inside:avoid}}
"""
)
