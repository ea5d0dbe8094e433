"""The status page's style sheet, and the Content-Security-Policy that allows it alone. Pure."""

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #fff; --text: #1d2127; --quiet: #5b636e; --line: #d9dde3; --raised: #f3f5f8; --link: #0b57d0;
  --red: #b3261e; --purple: #7b2fbf; --blue: #0b57d0; --yellow: #7a5b00; --orange: #a04500; --green: #1a7534;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181d; --text: #e4e7eb; --quiet: #a2a9b3; --line: #343a43; --raised: #20252c; --link: #8ab4f8;
    --red: #ff8a80; --purple: #d0a2ff; --blue: #82b1ff; --yellow: #e3c04a; --orange: #ffab70; --green: #63c77c;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 92rem; padding: 1.25rem 1rem; background: var(--page); color: var(--text);
  font: 14px/1.5 system-ui, "Liberation Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
p { margin: .3rem 0; color: var(--quiet); }
a { color: var(--link); } a:focus-visible, .wide:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
progress, meter { width: 6rem; vertical-align: middle; }
.fill { color: var(--text); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .93em; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .5rem; text-align: left; vertical-align: top; white-space: nowrap; }
th { background: var(--raised); font-weight: 600; } tbody tr { border-top: 1px solid var(--line); }
th a { color: inherit; text-decoration: none; } th a:hover { text-decoration: underline; }
th[aria-sort=ascending] a::after { content: " \\25b2"; } th[aria-sort=descending] a::after { content: " \\25bc"; }
.text { white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
.number { text-align: right; }
small { color: var(--quiet); font-size: .9em; }
form, nav { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .6rem 0; }
input, button { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--quiet);
  border-radius: .4rem; padding: .3rem .6rem; }
input { flex: 0 1 24rem; min-width: 0; } button { background: var(--raised); cursor: pointer; }
nav a { border: 1px solid var(--line); border-radius: 1rem; padding: .1rem .7rem; text-decoration: none; }
nav a[aria-current] { background: var(--raised); border-color: currentColor; font-weight: 600; }
.status { border: 1px solid; border-radius: .7rem; padding: .05rem .55rem; font-size: .85em; font-weight: 600; }
.red { color: var(--red); } .purple { color: var(--purple); } .blue { color: var(--blue); }
.yellow { color: var(--yellow); } .orange { color: var(--orange); } .green { color: var(--green); }
.grey { color: var(--quiet); } .plain { color: var(--text); }
@media (max-width: 40rem) { body { padding: .75rem; } input { flex: 1 1 8rem; } }
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded and no script runs; the search form is sent to the page itself."""
