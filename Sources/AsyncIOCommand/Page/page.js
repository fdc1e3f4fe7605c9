// The page of `asyncio inspect PID --web`: asks for a snapshot each second and shows it.
//
// The traps:
// - A snapshot comes from another process, which may be broken or hostile. What it says becomes text, never HTML, and
//   `number`, `text`, `objects` and `list` read its fields, of which each may be of any type.
// - A thousand rows a second: rows and cells stay, and only what has changed is written. So a selection survives.
// - Charts need differences of two snapshots: these may be of two lives of a counter, or minutes apart.

const EVERY = 1000; // Milliseconds between two questions, and while nobody looks:
const HIDDEN_EVERY = 10000;
const LIMIT = 15000; // The command gives up earlier, and says why.
const WINDOW = 120; // Seconds in a chart.
const GAP = 25; // Seconds without a snapshot that interrupt a curve.

// --- what a snapshot says ---

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const array = (value) => (Array.isArray(value) ? value : []);
const objects = (value) => array(value).filter(isObject);
const number = (value) => (Number.isFinite(value) ? value : null);

/** Returns a text in which marks that would turn or hide what is around them can be seen; null for none. */
function text(value) {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || value === "") return null;
  const seen = value.replace(/[\p{C}\u2028\u2029]/gu, "�");
  return seen.length > 300 ? `${seen.slice(0, 299)}…` : seen;
}

function list(value) {
  const shown = objects(value?.shown);
  return { count: Math.max(number(value?.count) ?? 0, shown.length), shown, isKnown: isObject(value) };
}

// --- how it is written ---

const NONE = "–";
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const order = new Intl.Collator("en", { numeric: true }).compare;
const short = (value) => (Math.abs(value) < 1e15 ? compact.format(value) : value.toExponential(1));
const digits = (value) => String(value < 9.95 ? Math.round(value * 10) / 10 : Math.round(value));

function amount(value) {
  if (value === null) return NONE;
  return Math.abs(value) >= 1e5 ? short(value) : plain.format(value < 10 ? value : Math.round(value));
}

function duration(seconds) {
  if (seconds === null) return NONE;
  if (seconds < 0) return `−${duration(-seconds)}`;
  for (const [limit, factor, unit] of [[0.9995e-3, 1e6, "µs"], [0.9995, 1e3, "ms"], [59.95, 1, "s"]]) {
    if (seconds < limit) return `${digits(seconds * factor)} ${unit}`;
  }
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (hours < 1) return `${minutes} m ${Math.floor(seconds % 60)} s`;
  return days < 1 ? `${hours} h ${minutes % 60} m` : `${amount(days)} d ${hours % 24} h`;
}

const units = { K: "k", B: "G" };
const bytes = (value) =>
  value === null ? NONE : short(value).replace(/[KMBT]?$/, (unit) => ` ${units[unit] ?? unit}B`);
const rate = (value) => (value === null ? NONE : `${bytes(value)}/s`);
const share = (value) => (value === null ? NONE : `${digits(value * 100)} %`);
const joined = (...parts) => parts.filter((part) => part && part !== NONE).join(" · ");
const plural = (count, one, many) => `${amount(count)} ${count === 1 ? one : many}`;
const extent = ({ count, shown: { length } }) =>
  amount(count) + (count > length ? `, first ${amount(length)} shown` : "");

// --- elements ---

const get = (id) => document.getElementById(id);

function build(element, attributes, content) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

const make = (name, attributes = {}, ...content) => build(document.createElement(name), attributes, content);
const draw = (name, attributes, ...content) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, content);

/** Writes a text only if it is another one: what stays keeps its selection, and is not read out again. */
function write(element, content) {
  if (element.textContent !== content) element.textContent = content;
}

/** Makes the children of an element these, in this order, and moves as few of them as it can. */
function arrange(parent, elements) {
  const kept = new Set(elements);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const element of elements) {
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
}

// --- tables ---

/**
 * A panel with a table. A column is {title, show, sort, as}: `show(row)` returns the parts of a cell, each a text or
 * {text, as}, where `as` names classes; `sort(row)` is what the table is sorted by, if it can be.
 */
class Table {
  constructor(title, columns, empty, { sorted = -1, key = (row, index) => index, tools = [], wide = false } = {}) {
    Object.assign(this, { columns, empty, sorted, key, rows: new Map() });
    const id = title.toLowerCase().replace(/ /g, "-");
    this.note = make("p", { class: "muted" });
    this.body = make("tbody");
    this.heads = columns.map(({ title, as = "", sort }, index) => {
      if (!sort) return make("th", { scope: "col", class: as }, title);
      const button = make("button", { type: "button" }, title);
      button.addEventListener("click", () => this.sortBy(index));
      return make("th", { scope: "col", class: as }, button);
    });
    this.mark();
    const caption = make("caption", { class: "hidden" }, title);
    const table = make("table", { id }, caption, make("thead", {}, make("tr", {}, ...this.heads)), this.body);
    const header = make("header", {}, make("h3", {}, title), this.note, make("div", { class: "tools" }, ...tools));
    const scroll = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, table);
    const as = wide ? "panel wide" : "panel";
    get("panels").append(make("section", { class: as, "aria-label": title }, header, scroll));
  }

  sortBy(index) {
    this.isDown = this.sorted === index ? !this.isDown : this.columns[index].as === "right";
    this.sorted = index;
    this.mark();
    show();
  }

  mark() {
    this.heads.forEach((head, index) =>
      head.setAttribute("aria-sort", index !== this.sorted ? "none" : this.isDown ? "descending" : "ascending"));
  }

  /** Compares two rows by the sorted column. A row without a value comes last, whatever the direction. */
  compare = (a, b) => {
    const [first, second] = [a, b].map((row) => this.columns[this.sorted]?.sort(row) ?? null);
    if (first === null || second === null) return (first === null) - (second === null);
    return (this.isDown ? -1 : 1) * (typeof first === "number" ? first - second : order(first, second));
  };

  show(rows, note, { inOrder = false, empty } = {}) {
    write(this.note, note);
    const before = this.rows;
    this.rows = new Map();
    (inOrder ? rows : [...rows].sort(this.compare)).forEach((row, index) => {
      let key = this.key(row, index);
      while (this.rows.has(key)) key += "'";
      const tr = before.get(key) ?? make("tr", {}, ...this.columns.map(({ as = "" }) => make("td", { class: as })));
      this.columns.forEach((column, place) => fill(tr.cells[place], [column.show(row)].flat().filter(Boolean)));
      this.rows.set(key, tr);
    });
    const none = make("td", { class: "empty", colspan: this.columns.length }, empty || this.empty);
    arrange(this.body, rows.length ? [...this.rows.values()] : [make("tr", {}, none)]);
  }
}

function fill(cell, parts) {
  const written = JSON.stringify(parts);
  if (cell.written === written) return;
  cell.written = written;
  const spans = parts.map((part) => make("span", { class: part.as ?? "" }, part.text ?? part));
  cell.replaceChildren(...(spans.length ? spans : [NONE]));
  cell.title = cell.textContent.length > 30 ? cell.textContent : ""; // For what does not fit.
  const depth = parts[0]?.depth ?? 0;
  cell.style.paddingInlineStart = depth ? `${14 + Math.min(depth, 20) * 18}px` : "";
}

// --- charts ---

const AXIS = 18; // Height below the curves, for the times.
const HEAD = 16; // Height above them, for the largest number.
let cursor = null; // Seconds before now at which all charts are read, if the reader points at one.

class Picture {
  constructor(title) {
    this.title = title;
    this.value = make("p", { class: "value" });
    this.svg = draw("svg", { role: "img" });
    const header = make("header", {}, make("h3", {}, title), this.value);
    get("charts").append(make("section", { class: "chart" }, header, this.svg));
  }

  get size() {
    return [this.svg.clientWidth || 300, (this.svg.clientHeight || 112) - AXIS];
  }

  /** Writes a number beside the title, and the words that stand for the picture. */
  tell(value, words) {
    this.value.replaceChildren(...value);
    this.svg.setAttribute("aria-label", `${this.title}: ${words}`);
  }
}

/** A curve, or two, of the last two minutes. */
class Chart extends Picture {
  constructor(title, series, format, { top = null, least = 1 } = {}) {
    super(title);
    Object.assign(this, { series, format, top, least, points: [], now: 0 });
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      pointAt((1 - (event.clientX - box.left) / box.width) * WINDOW);
    });
    this.svg.addEventListener("pointerleave", () => pointAt(null));
  }

  draw(points = this.points, now = this.now) {
    Object.assign(this, { points, now });
    const [width, height] = this.size;
    const values = this.series.flatMap(({ key }) => points.map((point) => point[key]).filter((one) => one !== null));
    const top = this.top ?? roundedUp(Math.max(this.least, ...values));
    const x = (point) => (width * (1 - (now - point.clock) / WINDOW)).toFixed(1);
    const y = (value) => (height - (Math.min(value, top) / top) * (height - HEAD)).toFixed(1);
    const drawn = [0, top / 2, top].map((at) => draw("line", { class: "grid", x2: width, y1: y(at), y2: y(at) }));
    const label = (as, at, line, words) => draw("text", { class: `tick ${as}`, x: at, y: line }, words);
    const below = height + AXIS - 4;
    drawn.push(
      label("", 0, HEAD - 5, this.format(top)), label("", 0, below, "2 min ago"),
      label("middle", width / 2, below, "1 min"), label("end", width, below, "now"));
    const read = this.readPoint();
    if (read) drawn.push(draw("line", { class: "cursor", x1: x(read), x2: x(read), y1: HEAD, y2: height }));
    for (const { key, as = "" } of this.series) {
      for (const run of runs(points, key)) {
        const curve = run.map((point) => `${x(point)} ${y(point[key])}`).join("L");
        drawn.push(
          draw("path", { class: `area ${as}`, d: `M${x(run[0])} ${height}L${curve}L${x(run.at(-1))} ${height}Z` }),
          // One point by itself is a line of no length, whose round ends are seen.
          draw("path", { class: `curve ${as}`, d: `M${curve}h0.01` }));
      }
      if ((read?.[key] ?? null) !== null) {
        drawn.push(draw("circle", { class: `dot ${as}`, cx: x(read), cy: y(read[key]), r: 4 }));
      }
    }
    this.svg.replaceChildren(...drawn);
    this.svg.dataset.points = values.length;

    const shown = read ?? points.at(-1);
    const told = this.series.map(({ key, label = "", as = "" }) => [label, this.format(shown?.[key] ?? null), as]);
    const parts = told.map(([label, value, as]) =>
      make("span", { class: label && `key ${as}` }, make("small", {}, label && `${label} `), value));
    if (read) parts.push(make("small", {}, `  ${duration(Math.round(now - read.clock))} ago`));
    const [lowest, highest] = [Math.min(...values), Math.max(...values)].map((value) => this.format(number(value)));
    const words = told.map(([label, value]) => `${label} ${value}`).join(", ");
    this.tell(parts, `${words}; in the last two minutes from ${lowest} to ${highest}`);
  }

  /** Returns the point nearest to the cursor, if there is one nearby. */
  readPoint() {
    const away = (point) => Math.abs(this.now - cursor - point.clock);
    const nearest = (best, point) => (away(point) < (best ? away(best) : 5) ? point : best);
    return cursor === null ? null : this.points.reduce(nearest, null);
  }
}

/** Returns the points that a line connects: those with a value, without a gap between them. */
function runs(points, key) {
  const found = [];
  let before = null;
  for (const point of points) {
    if (point[key] !== null) {
      if (before && point.clock - before.clock < GAP) found.at(-1).push(point);
      else found.push([point]);
    }
    before = point[key] === null ? null : point;
  }
  return found;
}

/** Returns the next number that is 1, 2 or 5 times a power of ten. */
function roundedUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((step) => step * power >= value * 0.9999) ?? 10);
}

/** How long turns took: bar i is of those below 2^i microseconds. Heights are logarithms: counts differ by powers. */
class Histogram extends Picture {
  draw(durations, longest) {
    const counts = array(durations).slice(0, 28).map((count) => Math.max(number(count) ?? 0, 0));
    const all = counts.reduce((sum, count) => sum + count, 0);
    const first = Math.max(Math.min(counts.findIndex((count) => count > 0), counts.length - 14), 0);
    const last = Math.max(counts.findLastIndex((count) => count > 0), first + 13);
    const bound = (index) => duration(2 ** index / 1e6);
    const below = (part) => {
      let sum = 0;
      return all ? bound(counts.findIndex((count) => (sum += count) >= all * part)) : NONE;
    };
    const [half, most] = [below(0.5), below(0.99)];
    this.tell([make("small", {}, `half < ${half} · 99 % < `), most],
      `${amount(all)} turns, half below ${half}, 99 % below ${most}, longest ${duration(longest)}`);
    const [width, height] = this.size;
    const step = width / (last - first + 1);
    const drawn = [draw("line", { class: "grid", x2: width, y1: height, y2: height })];
    for (let index = first; index <= last; index++) {
      const count = counts[index] ?? 0;
      const size = count && Math.max((Math.log1p(count) / Math.log1p(Math.max(...counts))) * (height - 6), 2);
      const x = (index - first) * step;
      // From an eighth of a second a turn is felt; from a second, everybody waits.
      const as = index > 20 ? "bad" : index > 17 ? "warn" : "";
      const place = { x: x + 1, width: step - 2, y: height - size, height: size, rx: 1.5 };
      const hint = draw("title", {}, `below ${bound(index)}: ${plural(count, "turn", "turns")}`);
      drawn.push(draw("rect", { class: `bar ${as}`, ...place }, hint));
      if ((index - first) % 4 === 1) {
        const at = Math.min(x + step, width - 20);
        drawn.push(draw("text", { class: "tick middle", x: at, y: height + AXIS - 4 }, bound(index)));
      }
    }
    this.svg.replaceChildren(...drawn);
  }
}

const flowOf = (connection) => `${connection.number} ${connection.peer}`;

/** What the charts of one loop show: differences of consecutive snapshots. */
class History {
  points = [];

  add(clock, loop) {
    const connections = list(loop.connections);
    const seen = {
      clock,
      turns: number(loop.turns?.count),
      // What runs now is busy as well: without it, a loop that hangs would seem to have nothing to do.
      busy: (number(loop.turns?.busy) ?? NaN) + Math.max(number(loop.now?.for) ?? 0, 0),
      cpu: number(loop.thread?.cpu),
      flows: connections.isKnown ? new Map(connections.shown.map((one) => [flowOf(one), one])) : null,
      isComplete: connections.count === connections.shown.length,
    };
    const elapsed = clock - (this.before?.clock ?? -Infinity);
    if (elapsed <= 0) return;
    const difference = (key) => {
      const [now, then] = [seen[key], this.before?.[key] ?? null];
      return then === null || !(now >= then) ? null : (now - then) / elapsed;
    };
    const busy = difference("busy");
    this.cpu = difference("cpu");
    this.points.push({
      clock,
      turns: difference("turns"),
      busy: busy && Math.min(busy, 1),
      ready: number(loop.ready),
      connections: connections.isKnown ? connections.count : null,
      received: this.flow("received", seen, elapsed),
      sent: this.flow("sent", seen, elapsed),
    });
    this.points = this.points.filter((point) => clock - point.clock <= WINDOW);
    this.before = seen;
    // While a loop does not answer, its connections of a moment ago say more than nothing.
    if (connections.isKnown) this.connections = { ...connections, clock };
  }

  /** Returns the bytes per second since the last snapshot, in one direction. */
  flow(key, seen, elapsed) {
    const { flows, isComplete } = this.before ?? {};
    if (!flows || !seen.flows) return null;
    let sum = 0;
    for (const [name, one] of seen.flows) {
      const then = flows.get(name);
      const [value, old] = [number(one[key]) ?? 0, number(then?.[key]) ?? 0];
      // In a list that was cut off, one that was not there need not be new: its bytes may be of hours.
      if (then || isComplete) sum += value >= old ? value - old : value;
    }
    return sum / elapsed;
  }
}

// --- tasks and locks ---

function tasksOf(loop) {
  const { count, shown } = list(loop.tasks);
  const read = (task, index) => {
    const { waits } = task;
    const key = text(task.id) ?? `?${index}`;
    return {
      ...task,
      key,
      id: key,
      name: text(task.name) ?? `task ${key}`,
      state: text(task.state) ?? "unknown",
      what: text(waits?.what),
      wait: waits?.for,
      waitPlace: text(waits?.place),
      awaitedBy: new Set(array(task.awaitedBy).map(text)),
    };
  };
  return { count, shown: shown.map(read) };
}

function locksOf(loop) {
  const { count, shown } = list(loop.locks);
  const waiters = (lock) => array(lock.waiters).map((one) => text(one) ?? "a task");
  const read = (lock, list) => ({ ...lock, owner: text(lock.owner), waiters: list, count: list.length });
  return { count, shown: shown.map((lock) => read(lock, waiters(lock))) };
}

/** Marks tasks and locks that wait for each other, and returns the ways around: time does not help these tasks. */
function markCycles(tasks, locks) {
  const names = new Map();
  for (const task of tasks) names.set(task.name, names.has(task.name) ? null : task); // Two of a name say nothing.
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const waitsFor = new Map(tasks.map((task) => [task, new Set()]));
  for (const task of tasks) for (const id of task.awaitedBy) waitsFor.get(byId.get(id))?.add(task);
  for (const { owner, waiters } of locks) {
    for (const waiter of names.get(owner) ? waiters : []) waitsFor.get(names.get(waiter))?.add(names.get(owner));
  }
  // What waits for nothing that is left can go on; those that remain lead around, or to a way around.
  for (let size = -1; size !== waitsFor.size; ) {
    size = waitsFor.size;
    for (const [task, others] of waitsFor) if (![...others].some((one) => waitsFor.has(one))) waitsFor.delete(task);
  }
  const [ways, seen] = [[], new Set()];
  for (const start of waitsFor.keys()) {
    const way = [];
    let task = start;
    for (; !seen.has(task); task = [...waitsFor.get(task)].find((one) => waitsFor.has(one))) {
      seen.add(task);
      way.push(task);
    }
    if (way.includes(task)) ways.push(way.slice(way.indexOf(task)));
  }
  const stuck = new Set(ways.flat());
  for (const task of stuck) task.isInCycle = true;
  for (const lock of locks) {
    lock.isInCycle = [lock.owner, ...lock.waiters].filter((name) => stuck.has(names.get(name))).length > 1;
  }
  return ways;
}

/** Returns the rows of the tree: a task, and indented below it what it awaits. What is below a task is shown once. */
function treeOf(tasks, compare) {
  const sorted = [...tasks].sort(compare);
  const below = new Map(sorted.map((task) => [task.id, []]));
  for (const task of sorted) for (const id of task.awaitedBy) below.get(id)?.push(task);
  const awaited = new Set([...below.values()].flat());
  const [rows, seen, path] = [[], new Set(), []];
  // Tasks that all await each other have no first one: any of them will do.
  for (const start of [...sorted.filter((task) => !awaited.has(task)), ...sorted]) {
    const open = seen.has(start) ? [] : [{ task: start, depth: 0, from: "" }];
    while (open.length) {
      const { task, depth, from } = open.pop();
      path.length = depth;
      const note = path.includes(task) ? "back to the one above" : seen.has(task) ? "shown above" : "";
      rows.push({ ...task, key: `${from}>${task.id}`, depth, note });
      if (note) continue;
      seen.add(task);
      path.push(task);
      const next = below.get(task.id).map((other) => ({ task: other, depth: depth + 1, from: task.id }));
      open.push(...next.reverse());
    }
  }
  return rows;
}

/** Keeps the rows that match, and in a tree those above them: seen from the end, those that are less deep. */
function filtered(rows, matches) {
  let least = 0;
  return rows.toReversed().filter((row) => {
    const isKept = matches(row) || row.depth < least;
    if (isKept) least = row.depth ?? 0;
    return isKept;
  }).reverse();
}

// --- the parts of the page ---

const charts = [
  new Chart("Turns per second", [{ key: "turns" }], amount),
  new Chart("Time busy", [{ key: "busy" }], share, { top: 1 }),
  new Chart("Ready queue", [{ key: "ready" }], amount, { least: 5 }),
  new Chart("Connections", [{ key: "connections" }], amount, { least: 5 }),
  new Chart("Bytes", [{ key: "received", label: "in" }, { key: "sent", label: "out", as: "s2" }], rate, { least: 100 }),
];
const histogram = new Histogram("Durations of turns");

const words = (title, key, as) => ({ title, as, sort: (row) => text(row[key]), show: (row) => text(row[key]) });
const code = (title, key) => words(title, key, "mono");
const madeAt = code("Made at", "place");
const figure = (title, key, format = text) => ({
  title, as: "right", sort: (row) => number(row[key]), show: (row) => format(number(row[key])),
});
const badge = (row) => row.isInCycle && { text: "cycle", as: "badge bad" };

const filter = make("input", { type: "search", placeholder: "Filter tasks", "aria-label": "Filter the tasks" });
const tree = make("button", { type: "button", "aria-pressed": false }, "Tree of awaits");

const tables = {
  slow: new Table("Slow callbacks", [
    figure("Took", "took", duration),
    figure("Ago", "ago", duration),
    { title: "What", show: (row) => [text(row.what), text(row.task) && ` of ${text(row.task)}`] },
    madeAt,
  ], "No callback has been slow."),
  locks: new Table("Locks", [
    { title: "Kind", sort: (row) => text(row.kind), show: (row) => [text(row.kind), badge(row)] },
    words("Owner", "owner"),
    figure("Waiting", "count"),
    { title: "Waiters", show: (row) => row.waiters.slice(0, 50).join(", ") },
    madeAt,
  ], "No lock is held, and no task waits for one."),
  tasks: new Table("Tasks", [
    {
      title: "Name",
      sort: (row) => row.name,
      show: (row) => [
        row.depth && { text: "└ ", as: "branch", depth: row.depth },
        row.name,
        row.depth && { text: `, level ${row.depth + 1}`, as: "hidden" },
        badge(row),
        row.note && { text: row.note, as: "badge" },
      ],
    },
    {
      title: "State",
      sort: (row) => row.state,
      show: ({ state }) => ({ text: state, as: /^[a-z]+$/.test(state) ? `state ${state}` : "state" }),
    },
    figure("Age", "age", duration),
    { title: "Waits for", show: (row) => [row.what, row.waitPlace && { text: ` at ${row.waitPlace}`, as: "muted" }] },
    figure("Wait", "wait", duration),
    madeAt,
  ], "No tasks.", { sorted: 0, key: ({ key }) => key, tools: [filter, tree], wide: true }),
  connections: new Table("Connections", [
    figure("Number", "number"),
    words("Kind", "kind"),
    code("Local", "local"),
    code("Peer", "peer"),
    figure("Received", "received", bytes),
    figure("Sent", "sent", bytes),
    figure("Round trip", "roundTrip", duration),
    { title: "Waits to", show: (row) => joined(row.isReading === true && "read", row.isWriting === true && "write") },
    words("TLS", "tls"),
  ], "No connections.", { sorted: 0, key: flowOf, wide: true }),
  timers: new Table("Timers", [figure("In", "in", duration), words("What", "what"), madeAt],
    "No timers.", { sorted: 0 }),
  children: new Table("Child processes", [words("PID", "pid"), figure("Age", "age", duration)],
    "No child processes.", { sorted: 0, key: (row) => `${row.pid}` }),
};

let snapshot = null;
let selected = null;
let histories = new Map();
let problem = null; // Why there is no new snapshot, as a banner.
let alarms = []; // What the snapshot itself gives banners for.
let said = ""; // Which loops do not answer, as it was announced.
const tabs = new Map();

const nameOf = (loop) => text(loop.name) ?? "An event loop";
const keyOf = (loop) => text(loop.number) ?? nameOf(loop);
const loopsOf = () => objects(snapshot?.loops);
const clockOf = () => number(snapshot?.clock) ?? 0;
const hangs = (loop) => loop.answers === false;

function pointAt(ago) {
  cursor = ago;
  for (const chart of charts) chart.draw();
}

/** Says what a loop does now: "a callback of Task-7 (the connection from …)". */
function activity(now) {
  const [what, task, about] = [text(now?.what), text(now?.task), text(now?.about)];
  return `a ${what ?? "turn"}${task ? ` of ${task}` : ""}${about ? ` (${about})` : ""}`;
}

function hang(loop) {
  const { now, thread } = loop;
  const [since, place, call] = [number(now?.for), text(now?.place), text(thread?.call)];
  const cpu = histories.get(keyOf(loop))?.cpu ?? null;
  const title = `${nameOf(loop)} ${text(loop.number) ?? ""} does not answer`;
  let body = isObject(now) ? `It has been in ${activity(now)}` : "Nothing says what it does";
  if (since !== null) body += ` for ${duration(since)}`;
  if (place) body += `, made at ${place}`;
  body += ". ";
  if (!isObject(thread)) body += "No thread runs it.";
  else body += `Thread ${text(thread.number)} is ${text(thread.state)}${call ? ` in ${call}` : ""}, CPU ${share(cpu)}.`;
  return { title, body };
}

function showBanners() {
  get("banners").replaceChildren(...[problem, ...alarms].filter(Boolean).map(({ title, body, as = "" }) =>
    make("section", { class: `banner ${as}` }, make("strong", {}, title), make("p", {}, body))));
}

function showTabs(loops) {
  get("tabs").hidden = loops.length < 2;
  arrange(get("tabs"), loops.map((loop) => {
    const key = keyOf(loop);
    if (!tabs.has(key)) {
      const button = make("button", { type: "button" }, make("span"), make("small"));
      button.addEventListener("click", () => {
        selected = key;
        show();
      });
      tabs.set(key, button);
    }
    const tab = tabs.get(key);
    write(tab.firstChild, joined(text(loop.number), nameOf(loop)));
    write(tab.lastChild, hangs(loop) ? "does not answer" : share(histories.get(key)?.points.at(-1)?.busy ?? null));
    tab.className = hangs(loop) ? "bad" : "";
    tab.setAttribute("aria-pressed", key === selected);
    return tab;
  }));
}

function showFacts(loop, history) {
  const { thread, turns, now, pool } = loop;
  const state = text(loop.state);
  const badges = [
    [text(loop.backend), ""],
    hangs(loop) ? ["does not answer", "bad"] : [state, state === "running" ? "good" : ""],
    [loop.isDebug === true && "debug mode", "warn"],
  ];
  get("badges").replaceChildren(
    ...badges.filter(([name]) => name).map(([name, as]) => make("li", { class: `badge ${as}` }, name)));
  const [threads, idle] = [number(pool?.threads), number(pool?.idle) ?? 0];
  const facts = [
    ["Thread", isObject(thread) ? joined(text(thread.number), text(thread.state), text(thread.call)) : "none runs it"],
    ["Processor", joined(share(history.cpu), duration(number(thread?.cpu)))],
    ["Turns", joined(amount(number(turns?.count)), duration(number(turns?.watched)))],
    ["Longest turn", duration(number(turns?.longest))],
    ["Thread pool", threads === null ? "not used"
      : joined(`${amount(threads - idle)} of ${amount(number(pool.maximum))} busy`, `${amount(idle)} idle`,
        `${amount(number(pool.queued))} queued`)],
    ["Now", isObject(now) ? joined(`in ${activity(now)}`, duration(number(now.for)), text(now.place)) : "nothing runs"],
  ];
  get("facts").replaceChildren(
    ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value || NONE))));
}

function showTasks(tasks) {
  const wanted = filter.value.trim().toLowerCase();
  const matches = (row) =>
    [row.name, row.state, row.what, text(row.place), row.waitPlace].some((one) => one?.toLowerCase().includes(wanted));
  const isTree = tree.ariaPressed === "true";
  const all = isTree ? treeOf(tasks.shown, tables.tasks.compare) : tasks.shown;
  const rows = wanted ? filtered(all, matches) : all;
  const found = wanted ? `${amount(rows.filter(matches).length)} of ` : "";
  tables.tasks.show(rows, found + extent(tasks), { inOrder: isTree, empty: wanted && "No task matches." });
}

function showLoop(loop) {
  const history = histories.get(keyOf(loop));
  const [tasks, locks, timers, children] = [tasksOf(loop), locksOf(loop), list(loop.timers), list(loop.children)];
  const ways = markCycles(tasks.shown, locks.shown);
  write(get("loop-name"), nameOf(loop));
  showFacts(loop, history);
  for (const chart of charts) chart.draw(history.points, clockOf());
  histogram.draw(loop.turns?.durations, number(loop.turns?.longest));
  showTasks(tasks);
  const slow = objects(loop.slow);
  tables.slow.show(slow, slow.length ? "newest first" : "");
  tables.locks.show(locks.shown, extent(locks));
  tables.children.show(children.shown, extent(children));
  const empty = timers.isKnown ? "" : "Not known while the loop does not answer.";
  tables.timers.show(timers.shown, empty ? "" : extent(timers), { empty });
  const known = history.connections;
  const ago = known && Math.round(clockOf() - known.clock);
  const note = known ? joined(extent(known), ago > 0 && `as of ${duration(ago)} ago`) : "";
  tables.connections.show(known?.shown ?? [], note, { empty: known ? "" : empty });
  return ways.slice(0, 3).map((way) => {
    const names = [...way.slice(0, 8).map((task) => task.name), ...(way.length > 8 ? ["…"] : []), way[0].name];
    return {
      as: "warn",
      title: plural(way.length, "task waits for itself", "tasks wait for each other"),
      body: names.join(" → "),
    };
  });
}

/** Shows what is known: after a snapshot, and after a choice of the reader. */
function show() {
  if (!snapshot) return;
  const loops = loopsOf();
  const [program, pid] = [text(snapshot.process?.program) ?? "a process", text(snapshot.process?.pid)];
  write(get("program"), program);
  write(get("process"), joined(pid && `PID ${pid}`, duration(number(snapshot.process?.age))));
  document.title = `${loops.some(hangs) ? "⚠ " : ""}${joined(program, pid)}`;
  if (!loops.some((loop) => keyOf(loop) === selected)) selected = loops.length ? keyOf(loops[0]) : null;
  const loop = loops.find((one) => keyOf(one) === selected);
  get("nothing").hidden = loops.length > 0;
  get("loop").hidden = !loop;
  showTabs(loops);
  alarms = loops.filter(hangs).map(hang);
  const hanging = alarms.map(({ title }) => title).join(". ");
  if (hanging !== said) write(get("announcement"), hanging || "All event loops answer again.");
  said = hanging;
  if (loop) alarms.push(...showLoop(loop));
  showBanners();
}

// --- asking ---

let failures = 0;
let isPaused = false;
let isRefused = false;
let isAsking = false;
let timer = 0;
let seenAt = 0;

function setStatus(state) {
  get("status").dataset.state = state;
  write(get("status"), state);
  get("main").classList.toggle("stale", failures > 0);
}

function take(answer) {
  // A clock that has gone back is one of another life.
  if (answer.process?.pid !== snapshot?.process?.pid || !(number(answer.clock) >= clockOf())) histories = new Map();
  snapshot = answer;
  const open = new Map();
  for (const loop of loopsOf()) {
    open.set(keyOf(loop), histories.get(keyOf(loop)) ?? new History());
    open.get(keyOf(loop)).add(clockOf(), loop);
  }
  histories = open;
  for (const key of tabs.keys()) if (!open.has(key)) tabs.delete(key);
  [failures, problem, seenAt] = [0, null, new Date()];
  setStatus("live");
  show();
}

/** Says why there is nothing new, and leaves what was seen last. */
function lose(title, reason) {
  failures += 1;
  if (failures === 1) write(get("announcement"), `${title}. ${reason}`);
  problem = { title, body: snapshot ? `${reason} What you see is from ${seenAt.toLocaleTimeString()}.` : reason };
  setStatus(isRefused ? "refused" : "lost");
  showBanners();
}

function judge(status, answer) {
  isRefused = status === 403;
  if (isRefused) lose("This address has no key, or a wrong one", "Open all of the address that the command printed.");
  else if (status === 200 && isObject(answer)) take(answer);
  else if (status === 0) lose("The command has ended", "Start asyncio inspect again, and open the address it prints.");
  else {
    const reason = text(answer?.error) ?? `The answer has status ${status}, and cannot be read`;
    lose("The process has ended, or does not answer", reason.replace(/[^.!?]$/, "$&."));
  }
}

async function ask() {
  clearTimeout(timer);
  if (isAsking || isPaused || isRefused) return;
  isAsking = true;
  const began = performance.now();
  let [status, answer] = [0, null];
  try {
    const headers = { "X-Asyncio-Key": location.hash.slice(1) };
    const response = await fetch("snapshot.json", { headers, cache: "no-store", signal: AbortSignal.timeout(LIMIT) });
    status = response.status;
    answer = await response.json();
  } catch {
    // The status says what there is to say: 0 if there was no answer.
  }
  isAsking = false;
  if (!isPaused) judge(status, answer);
  plan(performance.now() - began);
}

/** Asks again in a while: later if nobody looks, and later each time that there was no answer. */
function plan(taken) {
  clearTimeout(timer);
  if (isPaused || isRefused) return;
  const usual = document.hidden ? HIDDEN_EVERY : EVERY;
  const wait = failures > 0 ? Math.min(usual * 2 ** (failures - 1), HIDDEN_EVERY) : usual - taken;
  timer = setTimeout(ask, Math.max(wait, 200));
}

get("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  get("pause").setAttribute("aria-pressed", isPaused);
  write(get("pause"), isPaused ? "Resume" : "Pause");
  setStatus(isPaused ? "paused" : "connecting");
  ask();
});

tree.addEventListener("click", () => {
  tree.setAttribute("aria-pressed", tree.ariaPressed !== "true");
  show();
});

filter.addEventListener("input", show);
addEventListener("resize", show);
document.addEventListener("visibilitychange", () => document.hidden || ask());
addEventListener("hashchange", () => location.reload());
ask();
