"""The status page in a real browser: names of jobs run no script, and everybody can use the page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from builders import CREATED, GARNET, FakeTime, arn, event, finished, record, snapshot
from playwright.sync_api import Browser, Page, sync_playwright
from processes import tool

from exporter.core import DeviceKey, DeviceRecord, DeviceSnapshot, Health, JobRecord, QueueSize, Target, TargetStatus
from exporter.storage import Store
from exporter.telemetry import SelfMetrics
from exporter.web import Reloaded, Web
from exporter.web.http import HttpServer

ALONE: Final = ("--headless", "--disable-gpu", "--disable-quic", "--no-first-run")
SILENT: Final = ("--disable-background-networking", "--disable-component-update", "--disable-sync")

HOSTILE: Final = {
    1: "<script>document.title = 'owned'</script>",
    2: '"><img src=x onerror="document.title = \'owned\'">',
    3: "' onmouseover='document.title = `owned`' autofocus onfocus='document.title = `owned`",
    4: "</td></tr></table></body><h1>owned</h1>",
    5: "\u202eexe.ppa\u2066 \u200f\u061c",
    6: "javascript:document.title='owned'",
    7: "W" * 256,
    8: "&lt;b&gt; &amp; &#x3c;script&#x3e;",
}

GARNET_KEY: Final = DeviceKey("eu-north-1", GARNET)
DEVICES: Final = {name: f"arn:aws:braket:eu-north-1::device/qpu/x/{name}" for name in HOSTILE.values()}
"""A device of each hostile name."""

LOCAL: Final = "local:pennylane/lightning.qubit"

DOCUMENTATION: Final = "https://github.com/braket-exporter/braket-exporter/blob/main/docs/"

Colour = tuple[float, float, float]

COLOURS_OF_TEXTS: Final = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim()) continue;
    let behind = element;
    while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    found.push([walker.currentNode.textContent, getComputedStyle(element).color,
                getComputedStyle(behind).backgroundColor]);
  }
  return found;
}"""


def jobs() -> Iterator[JobRecord]:
    for number, name in HOSTILE.items():
        yield record(snapshot(arn=arn(number), name=name, device=DEVICES[name], status="QUEUED"), failing=name)
    yield record(snapshot(arn=arn(20), name="vqe-h2", device=GARNET, created=CREATED + 5.0, queue_position=3))
    yield record(snapshot(arn=arn(21), name="vqe-lih", device=LOCAL, created=CREATED + 9.0))
    failure = "AlgorithmError: s3://secret-bucket"
    late = event("MAX_RUNTIME_EXCEEDED", CREATED + 9.0)
    yield record(finished("FAILED", arn=arn(22), name="qaoa", failure_reason=failure, events=(late,)))
    yield record(finished("CANCELLED", arn=arn(23), name="kernel"))
    yield record(snapshot(arn=arn(24), name="grover", status="CANCELLING"))
    yield record(finished(arn=arn(25), name="ghz"))
    yield record(snapshot(arn=arn(26), name="new", status="BRAND_NEW"))
    yield JobRecord(arn(27))
    yield record(snapshot(arn=arn(28), name="waiting", device=GARNET, status="QUEUED", queue_position=7))


def devices() -> Iterator[DeviceSnapshot]:
    end = CREATED + 6400.0
    for name, device in DEVICES.items():
        yield DeviceSnapshot(DeviceKey("eu-north-1", device), name[:100], reason=name[:100], estimated_end=end)
    queues = (QueueSize("jobs", "", 4000, is_floor=True),)
    yield DeviceSnapshot(GARNET_KEY, "PAUSED", reason="MAINTENANCE", estimated_end=end, queues=queues)


def targets() -> list[TargetStatus]:
    def status(region: str, health: Health, waiting: int = 0) -> TargetStatus:
        budget, used = {"GetJob": 2.5, "SearchJobs": 1.25}, {"GetJob": 87, "SearchJobs": 75}
        return TargetStatus(Target("123456789012", region), health, 9, 4, waiting, 10.0, 1.0, budget, used)

    up = Health(up=True, last_success=CREATED + 990.0)
    down = Health(up=False, last_error="<script>document.title = 'owned'</script> " + "x" * 300)
    return [status("us-west-2", up, 1), status("eu-north-1", down), status("us-east-1", Health())]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    store, time = Store(()), FakeTime()
    for job in jobs():
        store.put(job)
    for device in devices():
        store.devices.put(DeviceRecord(device, CREATED + 990.0), float("inf"))
    web = Web(
        store=store,
        telemetry=SelfMetrics(),
        targets=targets,
        disabled=tuple,
        healthy=lambda: True,
        ready=lambda: True,
        reload=Reloaded,
        clock=time.clock,
    )
    server = HttpServer(web, "127.0.0.1", 0)
    server.start()
    yield f"http://127.0.0.1:{server.address[1]}/"
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = tool("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False, args=[*ALONE, *SILENT])
        yield browser
        browser.close()


@dataclass
class Visit:
    """An open page.

    Attributes:
        page: the page.
        complaints: what the browser said about it: blocked resources, errors, dialogs.
        requests: every address that it asked for.
    """

    page: Page
    complaints: list[str]
    requests: list[str]

    @property
    def names(self) -> list[str]:
        return self.page.locator("[aria-labelledby=jobs] tbody td:nth-child(2)").all_inner_texts()


@contextmanager
def visit(browser: Browser, url: str, **context: Any) -> Iterator[Visit]:
    """Open a page in a profile of its own."""
    profile = browser.new_context(**context)
    profile.set_default_timeout(10_000)
    page = profile.new_page()
    seen = Visit(page, [], [])
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", lambda dialog: seen.complaints.append(dialog.message))
    page.on("request", lambda request: seen.requests.append(request.url))
    try:
        assert page.goto(url) is not None
        yield seen
    finally:
        profile.close()


def rgb(text: str) -> Colour:
    red, green, blue = (float(number) for number in re.findall(r"[\d.]+", text)[:3])
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Tell how bright a colour is, as WCAG 2 defines it."""
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    darker, brighter = sorted((luminance(one), luminance(other)))
    return (brighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


# Whatever jobs are called.


def test_hostile_names_are_text_and_run_nothing(browser: Browser, address: str) -> None:
    with visit(browser, address) as seen:
        names = seen.names
        assert {*HOSTILE.values()} <= {*names}
        for cell in seen.page.locator("td.text").all():
            cell.hover()
        for _ in range(40):
            seen.page.keyboard.press("Tab")
        assert seen.page.title() == "braket-exporter"
        assert seen.page.locator("script, img, iframe, object, [onerror], [onfocus], [onmouseover]").count() == 0
        assert seen.page.locator("h1").all_inner_texts() == ["braket-exporter"]
        assert seen.complaints == []
        assert seen.requests == [address]


def test_every_link_leads_to_the_exporter_its_documentation_or_the_console(browser: Browser, address: str) -> None:
    with visit(browser, f"{address}?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&status=javascript:alert(1)") as seen:
        assert seen.page.get_by_label("Search", exact=True).input_value() == '"><script>alert(1)</script>'
        assert seen.complaints == []
        seen.page.goto(address)
        links = seen.page.locator("a").evaluate_all("links => links.map(link => link.href)")
        consoles = [f"https://{region}.console.aws.amazon.com/" for region in ("us-west-2", "eu-north-1", "us-east-1")]
        assert [url for url in links if not url.startswith((address, *consoles, DOCUMENTATION))] == []
        assert len(links) > 50


def test_the_policy_keeps_a_script_from_running_should_one_ever_come_in(browser: Browser, address: str) -> None:
    with visit(browser, address) as seen:
        seen.page.evaluate(
            "() => { const script = document.createElement('script'); script.textContent = 'document.title = `owned`';"
            " document.body.append(script); document.body.insertAdjacentHTML('beforeend', '<img src=/x>'); }"
        )
        assert seen.page.title() == "braket-exporter"
        assert [text for text in seen.complaints if "Content Security Policy" in text] == seen.complaints
        assert len(seen.complaints) == 2


def test_nothing_secret_is_on_the_page(browser: Browser, address: str) -> None:
    with visit(browser, address) as seen:
        assert "AlgorithmError" in seen.page.inner_text("body")
        assert "secret-bucket" not in seen.page.content()


# For everybody.


LABELS: Final = """() => [...document.querySelectorAll('.jobs tbody tr')].map(row => [...row.cells]
  .filter(cell => getComputedStyle(cell).display !== 'none')
  .map(cell => getComputedStyle(cell, '::before').content.replaceAll('"', '') + '|' + cell.innerText))"""

CUT: Final = """() => [...document.querySelectorAll('td, .alert, .alert div')].filter(element => {
  const {left, right} = element.getBoundingClientRect();
  return element.scrollWidth > element.clientWidth || left < 0 || right > innerWidth;
}).map(element => element.innerText)"""


def test_a_narrow_screen_shows_each_job_as_a_card_with_the_important_values_first(
    browser: Browser, address: str
) -> None:
    with visit(browser, f"{address}?q=vqe-h2", viewport={"width": 390, "height": 844}) as seen:
        assert seen.page.evaluate(LABELS) == [
            [
                "none|RUNNING",
                "none|vqe-h2",
                "Device|iqm/Garnet",
                "Queue position|3",
                "Run time|16 min of 1 h",
                "Created|16 min 35 s ago",
                "Data age|14 min 30 s",
                "Region|us-west-2",
                "none|logs",
            ]
        ]
        tops = "() => [...document.querySelectorAll('.jobs tbody td')].map(cell => cell.getBoundingClientRect().top)"
        status, job, device, queue, run_time = seen.page.evaluate(tops)[:5]
        assert status < job < device == queue < run_time


STATE: Final = "PAUSED, MAINTENANCE, estimated end 00:00 UTC (in 1 h 30 min), >4000 jobs queued"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_queued_job_shows_the_state_of_its_device(browser: Browser, address: str, width: int) -> None:
    with visit(browser, f"{address}?q=waiting", viewport={"width": width, "height": 844}) as seen:
        cell = seen.page.locator(".jobs tbody td:nth-child(3)")
        assert " ".join(cell.inner_text().split()) == f"iqm/Garnet {STATE}"
        assert seen.page.locator(".jobs tbody td:nth-child(3) .yellow").inner_text() == "PAUSED"
        assert seen.page.evaluate(CUT) == []


def test_a_narrow_screen_cuts_nothing_and_keeps_the_sort_links(browser: Browser, address: str) -> None:
    with visit(browser, address, viewport={"width": 390, "height": 844}) as seen:
        assert seen.page.evaluate(CUT) == []
        seen.page.get_by_role("link", name="Created", exact=True).click()
        assert seen.page.url == f"{address}?sort=created&order=desc"


def test_a_wide_screen_shows_all_columns_without_scrolling(browser: Browser, address: str) -> None:
    with visit(browser, f"{address}?q=vqe", viewport={"width": 1280, "height": 800}) as seen:
        table = seen.page.get_by_label("Jobs", exact=True)
        assert table.evaluate("table => table.scrollWidth - table.clientWidth") == 0
        assert table.get_by_role("columnheader").count() == 10


def test_the_titles_of_sortable_columns_show_it(browser: Browser, address: str) -> None:
    sign = "link => getComputedStyle(link, '::after').content.slice(0, 4)"
    with visit(browser, f"{address}?sort=job&order=asc") as seen:
        signs = {
            title: seen.page.get_by_role("link", name=title, exact=True).evaluate(sign).strip('" \xa0')
            for title in ("Job", "Device")
        }
        assert signs == {"Job": "▲", "Device": "⇅"}
        seen.page.get_by_role("link", name="Job", exact=True).click()
        assert seen.page.get_by_role("link", name="Job", exact=True).evaluate(sign).strip('" \xa0') == "▼"


def test_the_page_refreshes_by_a_link_without_javascript(browser: Browser, address: str) -> None:
    with visit(browser, f"{address}?refresh=5&q=vqe", java_script_enabled=False) as seen:
        with seen.page.expect_navigation():
            pass
        assert seen.page.url == f"{address}?refresh=5&q=vqe"
        seen.page.get_by_role("link", name="Stop refreshing").click()
        assert seen.page.url == f"{address}?q=vqe"
        seen.page.get_by_role("link", name="Refresh every 30 s").click()
        assert seen.page.url == f"{address}?q=vqe&refresh=30"
        assert seen.page.locator("meta[http-equiv=refresh]").get_attribute("content") == "30"
        assert seen.complaints == []


def test_search_filter_and_sort_work_without_javascript(browser: Browser, address: str) -> None:
    with visit(browser, address, java_script_enabled=False) as seen:
        page = seen.page
        page.get_by_label("Search", exact=True).fill("vqe")
        page.get_by_label("Search", exact=True).press("Enter")
        assert seen.names == ["vqe-lih", "vqe-h2"]
        page.get_by_role("link", name="Job", exact=True).click()
        assert seen.names == ["vqe-h2", "vqe-lih"]
        page.get_by_role("link", name="Job", exact=True).click()
        assert seen.names == ["vqe-lih", "vqe-h2"]
        assert page.locator("th[aria-sort=descending]").inner_text().startswith("Job")
        page.get_by_label("Search", exact=True).fill("")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="FAILED 1").click()
        assert seen.names == ["qaoa"]
        assert page.url == f"{address}?status=FAILED&sort=job&order=desc"
        page.get_by_role("link", name="Reset").click()
        assert page.url == address
        assert len(seen.names) == 17
        assert seen.complaints == []


def test_one_gets_everywhere_with_the_keyboard(browser: Browser, address: str) -> None:
    with visit(browser, address, viewport={"width": 900, "height": 700}) as seen:
        page = seen.page
        focused = "() => document.activeElement.innerText || document.activeElement.name || document.activeElement.role"
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.append(str(page.evaluate(focused)))
            # The keyboard focus is visible.
            assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
        wanted = ["us-west-2", "all 17", "FAILED 1", "q", "Search", "Status", "Data age", "logs"]
        wanted += ["Refresh every 30 s", "Troubleshooting"]
        assert [name for name in wanted if name not in reached] == []
        page.get_by_label("Jobs", exact=True).focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.activeElement.scrollLeft > 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_background(browser: Browser, address: str, scheme: str) -> None:
    with visit(browser, address, color_scheme=scheme) as seen:
        texts = seen.page.evaluate(COLOURS_OF_TEXTS)
        assert len(texts) > 100
        weak = [text for text, front, back in texts if contrast(rgb(front), rgb(back)) < 4.5]
        assert weak == []
        page_is = luminance(rgb(seen.page.evaluate("() => getComputedStyle(document.body).backgroundColor")))
        assert page_is > 0.9 if scheme == "light" else page_is < 0.05


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_fits_the_screen_and_only_its_tables_scroll(browser: Browser, address: str, width: int) -> None:
    with visit(browser, address, viewport={"width": width, "height": 740}) as seen:
        assert seen.page.evaluate("() => document.documentElement.scrollWidth") == width
        narrowest = "() => Math.min(...[...document.querySelectorAll('td.text')]"
        narrowest += ".filter(cell => cell.textContent).map(cell => cell.clientWidth))"
        assert seen.page.evaluate(narrowest) >= 140


def test_a_screen_reader_finds_everything(browser: Browser, address: str) -> None:
    with visit(browser, f"{address}?sort=created") as seen:
        page = seen.page
        assert page.get_by_role("region").count() == 2
        assert page.get_by_role("alert", name="1 of 3 targets failing").count() == 1
        assert page.get_by_role("contentinfo").get_by_role("link").count() == 4
        assert page.get_by_role("navigation", name="Status").get_by_role("link").count() == 10
        assert page.get_by_role("search").get_by_role("searchbox", name="Search").count() == 1
        assert page.get_by_role("columnheader").count() == 7 + 10
        assert page.get_by_role("meter", name="GetJob 87 of 150").count() == 3
        assert page.get_by_role("progressbar", name="Polled jobs").count() == 1
        assert page.locator("html").get_attribute("lang") == "en"
