"""What the pages of `asyncio inspect --web` and of `asyncio simulate` must do: functions that look at them.

A check gets a `Visit`, opens the page over a made-up world or over a real process, and says by `must` what has to hold.
"""

import pathlib
import tempfile
import time

from lib.page import mock

# Functions for the expressions below. A row that says that there is nothing is not a row.
HELPERS = """
window.rows = (id) => [...document.querySelectorAll(`#${id} tbody tr`)].filter((tr) => !tr.querySelector(".empty"));
window.said = (id) => document.getElementById(id).textContent;
window.banners = () => [...document.querySelectorAll(".banner")].map((one) => one.textContent).join("; ");
window.points = () => [...document.querySelectorAll("#charts svg[data-points]")].map((svg) => +svg.dataset.points);
window.button = (words) => [...document.querySelectorAll("button")].find((one) => one.textContent.includes(words));
true
"""

# Texts with less contrast than WCAG asks for at level AA, each with its ratio.
FAINT = """
(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = numbers(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest(".branch, .hidden, noscript, [hidden]")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(numbers(element.closest("svg") ? style.fill : style.color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.add(`"${walker.currentNode.data.slice(0, 30)}" ${ratio.toFixed(1)}`);
  }
  return [...faint];
})()
"""

# Elements that say nothing to a reader who does not see them.
MUTE = """
[
  ...[...document.querySelectorAll("button")].filter((one) => !one.textContent.trim()),
  ...[...document.querySelectorAll("input")].filter((one) => !one.labels?.length && !one.ariaLabel),
  ...[...document.querySelectorAll("table")].filter((one) => !one.caption || one.querySelector("th:not([scope])")),
  ...[...document.querySelectorAll("svg:not([aria-hidden])")].filter((one) => !one.ariaLabel || !one.role),
  ...[...document.querySelectorAll(".scroll")].filter((one) => one.tabIndex !== 0 || !one.ariaLabel),
].map((one) => one.outerHTML.slice(0, 60))
"""


class GaveUp(Exception):
    """What the rest of a check needs has not come."""


class Visit:
    """What a check needs: a browser, the folder of the page, the address of a real one, and where findings go."""

    def __init__(self, browser, folder, address=None):
        self.browser, self.folder, self.address = browser, folder, address
        self.findings = []
        self.open_things = []

    def must(self, holds, words):
        if not holds:
            self.findings.append(words)

    def page(self, address, **look):
        page = self.browser.open(address, **look)
        self.open_things.append(page)
        self.wait(page, "document.readyState === 'complete' && document.querySelector('#program')", "does not load")
        page.value(HELPERS)
        return page

    def world(self, name, dark=False, width=1280, height=900, **options):
        """Open the page over a made-up world."""
        server = mock.Mock(self.folder, name, **options)
        self.open_things.append(server)
        return server, self.page(server.address, dark=dark, width=width, height=height)

    def wait(self, page, expression, words, limit=10):
        """Wait for what the rest of a check needs."""
        if not page.wait(expression, limit):
            self.must(False, words)
            self.finish(page)
            raise GaveUp

    def finish(self, page, expected=""):
        """See whether the page complained, or asked another host. Close all that is open."""
        for complaint in page.complaints:
            self.must(expected and expected in complaint, f"complains: {complaint}")
        for url in page.foreign_requests():
            self.must(False, f"asks another host: {url}")
        for thing in self.open_things:
            thing.close()
        self.open_things = []


def shows_a_process(visit):
    """A busy server fills all parts of the page, in both schemes, wide and narrow."""
    grounds = set()
    for dark in (False, True):
        if visit.address:
            page = visit.page(visit.address, dark=dark)
        else:
            _, page = visit.world("busy", dark=dark, speed=5)
        tables = ["tasks", "connections"] + ([] if visit.address else ["slow-callbacks", "locks", "timers"])
        for table in tables:
            visit.wait(page, f"rows('{table}').length > 0", f"the table {table} stays empty")
        visit.wait(page, "points().length === 5 && points().every((count) => count >= 3)", "a chart has no points", 20)
        curves = "[...document.querySelectorAll('.curve')].every((one) => /^M[-\\d. L]+h/.test(one.getAttribute('d')))"
        visit.must(page.value(curves), "a curve has places that are not numbers")
        visit.must(page.value("said('status')") == "live", "the status is not live")
        visit.must(page.value("said('loop-name')").endswith("EventLoop"), "the loop has no name")
        visit.must(page.value("document.querySelectorAll('#facts dd').length") >= 6, "facts are missing")
        visit.must(not page.value(FAINT), f"too little contrast: {page.value(FAINT)}")
        visit.must(not page.value(MUTE), f"nothing for those who do not see: {page.value(MUTE)}")
        grounds.add(page.value("getComputedStyle(document.body).backgroundColor"))
        for width in (1280, 480):
            page.look(width=width, dark=dark)
            wide = page.value("document.documentElement.scrollWidth")
            visit.must(wide == width, f"{wide} pixels wide in a window of {width}")
        visit.finish(page)
    visit.must(len(grounds) == 2, "looks the same in dark and light")


def keeps_names_as_text(visit):
    """Names that are HTML stay text, everywhere, and marks of direction can be seen."""
    _, page = visit.world("hostile")
    visit.wait(page, "rows('tasks').length > 20 && rows('locks').length > 0", "shows no tasks")
    page.value("button('Tree of awaits').click()")
    visit.wait(page, "rows('tasks').length > 20", "shows no tree")
    page.wait("points().every((count) => count >= 3)", 5)
    visit.must(page.value("said('program')") == mock.HOSTILE, "the program's name is not shown as it is")
    tables = ["tasks", "connections", "locks", "slow-callbacks", "timers"]
    for place in [*tables, "banners", "facts", "loop-name", "badges"]:
        visit.must(page.value(f"said('{place}').includes({mock.HOSTILE!r})"), f"a hostile name is not text in {place}")
    made = "document.querySelectorAll('img, script:not([src]), body h1:not(#program), iframe').length"
    visit.must(page.value(made) == 0, "a name has become an element")
    visit.must(not page.value("/[\\u202e\\u0007]/.test(document.body.textContent)"), "a mark of direction gets through")
    visit.must(page.value("rows('tasks').every((tr) => tr.textContent.length < 2000)"), "a long name is not cut off")
    visit.finish(page)


def says_that_a_loop_hangs(visit):
    server, page = visit.world("hung", age=10)
    page.value("window.news = []; new MutationObserver(() => news.push(said('announcement')))"
               ".observe(document.getElementById('announcement'), { childList: true, subtree: true })")  # fmt: skip
    visit.wait(page, "rows('connections').length > 10", "shows no connections")
    server.age += 60
    visit.wait(page, "banners().includes('does not answer')", "no banner")
    words = page.value("banners()")
    for part in ("a callback of Task-7", "127.0.0.1:52011", "Session.swift:112", "nanosleep"):
        visit.must(part in words, f"the banner does not say {part}: {words}")
    visit.wait(page, f"banners() !== {words!r}", "the banner's time stands still")
    visit.wait(page, "said('connections').includes('127.0.0.1:52')", "the connections of a moment ago are gone")
    visit.must(page.value("document.title").startswith("⚠"), "the title of the window does not say it")
    visit.must(page.value("news.length") == 1, f"announced other than once: {page.value('news')}")
    server.age -= 20
    visit.wait(page, "news.some((one) => one.includes('answer again'))", "does not say that the loop answers again")
    visit.finish(page)


def marks_cycles(visit):
    _, page = visit.world("deadlock")
    visit.wait(page, "banners().includes('Task-5 → Task-6 → Task-7 → Task-5')", "no banner for a cycle of locks")
    visit.wait(page, "banners().includes('Task-10 → Task-11 → Task-10')", "no banner for a cycle of awaits")
    for table, count in (("tasks", 5), ("locks", 3)):
        marked = page.value(f"rows('{table}').filter((tr) => tr.querySelector('.bad')).length")
        visit.must(marked == count, f"{marked} {table} are marked, not {count}")
    page.value("button('Tree of awaits').click()")
    order = "rows('tasks').map((tr) => tr.cells[0].textContent)"
    visit.must(page.value(f"{order}.some((one) => one.includes('back to the one'))"), "the tree does not end a cycle")
    visit.must(page.value(f"{order}[{order}.findIndex((one) => one.startsWith('main')) + 2]").startswith("└ serve"),
               f"the tree is another one: {page.value(order)[:6]}")  # fmt: skip
    visit.finish(page)


def copes_with_a_crowd(visit):
    _, page = visit.world("crowd")
    visit.wait(page, "rows('tasks').length === 1000", "does not show 1000 tasks")
    visit.must("1,200, first 1,000" in page.value("document.querySelector('#tasks').closest('section').textContent"),
               "does not say how many there are")  # fmt: skip
    page.value("window.row = rows('tasks')[7]; window.clock = said('process'); true")
    visit.wait(page, "said('process') !== clock", "nothing moves")
    visit.must(page.value("rows('tasks')[7] === row"), "rows are made again each time")
    taken = page.value("(() => { const t = performance.now(); dispatchEvent(new Event('resize')); "
                       "return performance.now() - t })()")  # fmt: skip
    visit.must(taken < 1000, f"takes {taken:.0f} ms to show it")
    page.value("button('Age').click()")
    ages = "document.querySelector('#tasks th:nth-child(3)').ariaSort"
    visit.must(page.value(ages) == "descending", "the first click does not sort numbers from the largest")
    page.value("button('Age').click()")
    visit.must(page.value(ages) == "ascending", "the second click does not turn the order")
    visit.must(page.value("rows('tasks')[0].textContent.startsWith('Task-1000')"), "the youngest is not the first")
    page.value("const field = document.querySelector('input'); field.value = 'TASK-77'; "
               "field.dispatchEvent(new Event('input')); true")  # fmt: skip
    visit.must(page.value("rows('tasks').length") == 11, "the filter does not find Task-77 and Task-770 to Task-779")
    page.value("button('Tree of awaits').click()")
    visit.must(page.value("rows('tasks').length") == 13, "a tree does not keep what is above a match")
    visit.finish(page)


def copes_with_odd_snapshots(visit):
    for world, words in (("empty", "No event loop"), ("bare", "An event loop"), ("huge", "e+18")):
        _, page = visit.world(world)
        visit.wait(page, f"document.querySelector('main').innerText.includes({words!r})", f"{world}: no {words!r}")
        visit.must(not page.value("/NaN|undefined|Infinity|null/.test(document.body.innerText)"), f"{world}: odd words")
        visit.finish(page)
    server, page = visit.world("broken", speed=7)
    page.value("button('Tree of awaits').click()")
    end = time.monotonic() + 8
    while server.asked < 7 and time.monotonic() < end:
        page.browser.receive(0.2)
    visit.must(server.asked >= 7, "stops to ask after a broken snapshot")
    visit.must(not page.value("/NaN|undefined|Infinity|\\[object/.test(document.body.innerText)"), "broken: odd words")
    visit.finish(page)


def shows_many_loops(visit):
    _, page = visit.world("many")
    visit.wait(page, "document.querySelectorAll('#tabs button').length === 24", "there are not 24 loops to choose from")
    page.value("document.querySelectorAll('#tabs button')[11].click()")
    visit.must(page.value("said('facts').includes('4723')"), "choosing a loop does not show its thread")
    visit.must(page.value("document.querySelectorAll('#tabs [aria-pressed=true]').length") == 1, "one loop is chosen")
    visit.finish(page)


def outlives_the_process(visit):
    server, page = visit.world("busy")
    visit.wait(page, "rows('tasks').length > 20", "shows no tasks")
    server.error = "no process has number 4711"
    visit.wait(page, "said('status') === 'lost'", "does not notice that the process has gone")
    visit.must("no process has number 4711. What you see is from" in page.value("banners()"), "does not say why")
    visit.must(page.value("rows('tasks').length") > 20, "forgets what it saw last")
    server.error = None
    visit.wait(page, "said('status') === 'live' && !banners()", "does not find the process again")
    server.close()
    visit.wait(page, "banners().includes('The command has ended')", "does not notice that the command has gone")
    visit.must(page.value("rows('tasks').length") > 20, "forgets what it saw last")
    visit.open_things.remove(server)
    visit.finish(page, expected="Failed to load resource")


def asks_with_care(visit):
    """Never twice at a time, not while it is paused, seldom if nobody looks, and not again with a wrong key."""
    server, page = visit.world("busy")
    server.delay = 1.2
    visit.wait(page, "points().some((count) => count >= 2)", "slow answers are not shown")
    visit.must(server.most == 1, f"asks {server.most} times at once")
    server.delay = 0
    page.value("button('Pause').click()")
    visit.must(page.value("said('status')") == "paused", "the status is not paused")
    page.browser.receive(1.5)
    asked = server.asked
    page.value("new Promise((done) => setTimeout(done, 2200))")
    visit.must(server.asked == asked, "asks while it is paused")
    page.value("button('Resume').click()")
    visit.wait(page, "said('status') === 'live'", "does not go on after a pause")
    page.value("Object.defineProperty(document, 'hidden', { value: true, configurable: true }); true")
    page.value("new Promise((done) => setTimeout(done, 1200))")
    asked = server.asked
    page.value("new Promise((done) => setTimeout(done, 3000))")
    visit.must(server.asked <= asked + 1, "asks as often if nobody looks")
    asked = server.asked
    page.value("delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); true")
    page.value("new Promise((done) => setTimeout(done, 500))")
    visit.must(server.asked == asked + 1, "does not ask at once if somebody looks again")
    visit.finish(page)

    server = mock.Mock(visit.folder)
    visit.open_things.append(server)
    page = visit.page(server.address[:-1])
    visit.wait(page, "said('status') === 'refused' && banners()", "does not say that the key is wrong")
    page.value("new Promise((done) => setTimeout(done, 2200))")
    visit.must(server.refused == 1, "asks again with a key that was refused")
    visit.finish(page, expected="Failed to load resource")


def draws_a_simulated_world(visit):
    """The page of `asyncio simulate`: one file, without a server, with twenty thousand events."""
    template = (visit.folder.parent.parent / "AsyncIOSimulateCommand/Page/timeline.html").read_text()
    many = mock.simulation(20_000, ["server", "anna", "bob", mock.HOSTILE], 12.5, str(2**64 - 2), [mock.HOSTILE])
    odd = {
        "hosts": [None, 3], "duration": "x", "failure": 7,
        "events": [
            None, {}, {"t": "x"}, {"t": 1, "kind": "__proto__", "host": 9}, {"t": 2, "kind": "message", "host": 0},
            {"t": -1, "host": 1, "kind": "message", "to": 1, "arrives": 1e300},
        ],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "world.html"
        for world, words in ((many, f"seed {2**64 - 2} · 12.5 s · 4 hosts"), (odd, "3 events"), ("WORLD", "no world")):
            file.write_text(mock.with_world(template, world))
            for dark in (False, True):
                page = visit.browser.open(file.as_uri(), dark=dark)
                visit.open_things.append(page)
                visit.wait(page, f"document.querySelector('header')?.innerText.includes({words!r})", f"no {words!r}")
                if world is many:
                    look_at_world(visit, page)
                visit.must(not page.value("/NaN|undefined|\\[object/.test(document.body.innerText)"), "odd words")
                visit.must(not page.value(FAINT), f"too little contrast: {page.value(FAINT)}")
                visit.must(page.requests == [file.as_uri()], f"asks for {page.requests}")
                visit.finish(page)


def look_at_world(visit, page):
    rows = "document.querySelectorAll('#list .row')"
    visit.wait(page, f"{rows}.length > 5", "the list of events stays empty")
    visit.must(page.value(f"{rows}.length") < 200, "the list has an element for each event")
    painted = "[...document.querySelector('#picture').getContext('2d').getImageData(0, 0, 900, 300).data].some(Boolean)"
    visit.wait(page, painted, "nothing is drawn")
    page.value("document.getElementById('go').click()")
    seen = "document.querySelector('#details').innerText.includes('seen twice')"
    visit.wait(page, seen, "does not lead to the failure")
    visit.wait(page, f"[...{rows}].some((one) => one.ariaSelected === 'true')", "the failure is not marked in the list")
    page.value("const field = document.querySelector('input'); field.value = 'ONERROR'; "
               "field.dispatchEvent(new Event('input')); true")  # fmt: skip
    visit.wait(page, f"[...{rows}].every((one) => one.innerText.includes('<img'))", "the filter lets others through")
    visit.must(page.value("document.images.length") == 0, "a name has become an element")


ALL = [
    draws_a_simulated_world,
    shows_a_process,
    keeps_names_as_text,
    says_that_a_loop_hangs,
    marks_cycles,
    copes_with_a_crowd,
    copes_with_odd_snapshots,
    shows_many_loops,
    outlives_the_process,
    asks_with_care,
]
