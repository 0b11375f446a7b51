"use strict";
// The page. What a manifest means is decided in the worker, by the crates of the program `picovd`. Nothing that comes from a file
// becomes HTML: texts are set as text.

const $ = (id) => document.getElementById(id);
const MIB = 1 << 20;

// ---- The compiler ----------------------------------------------------------------------------------------------------

/// How long the compiler may think, in milliseconds.
const PATIENCE = 30000;

const compiler = {
  worker: null,
  waiting: new Map(),
  next: 1,
  script: "",
  wasm: null,

  start() {
    this.worker = new Worker(this.script);
    this.worker.onmessage = ({ data }) => this.answered(data);
    this.worker.onerror = (event) => fatal("The manifest compiler does not start here: " + (event.message || "workers are switched off"));
    this.worker.postMessage(this.wasm);
  },

  answered({ id, ok, bytes, broken }) {
    if (id === 0) {
      fatal("The manifest compiler does not start: " + broken);
      return;
    }
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    if (broken === undefined) {
      waiting.done({ ok, bytes });
    } else {
      this.restart("the compiler failed on it (" + broken + ")");
      waiting.done({ ok: false, bytes: utf8("the compiler failed on it; please report this text as a bug") });
    }
  },

  /// A compiler that has failed, or does not come to an end, is replaced by a new one, which gets the files again.
  restart(reason) {
    this.worker.terminate();
    const left = [...this.waiting.values()];
    this.waiting.clear();
    for (const { timer, done } of left) {
      clearTimeout(timer);
      done({ ok: false, bytes: utf8(reason) });
    }
    this.start();
    for (const question of given.values()) this.ask(...question);
  },

  ask(call, bytes = new Uint8Array(), number = 0) {
    return new Promise((done) => {
      const id = this.next++;
      const timer = setTimeout(() => this.restart("the compiler took too long"), PATIENCE);
      this.waiting.set(id, { done, timer });
      this.worker.postMessage({ id, call, bytes, number });
    });
  },

  /// Gives it something that a new compiler has to get again, unless something else of that name is given later.
  async give(name, ...question) {
    const answer = await this.ask(...question);
    if (answer.ok) {
      given.delete(name);
      given.set(name, question);
    }
    return answer;
  },

  addFile(name, bytes) {
    const head = utf8(name);
    const all = new Uint8Array(head.length + bytes.length);
    all.set(head);
    all.set(bytes, head.length);
    return this.give("file " + name, "add_file", all, head.length);
  },
};

const utf8 = (text) => new TextEncoder().encode(text);
const textOf = (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

// ---- State -----------------------------------------------------------------------------------------------------------

const editor = $("text");
/// What the compiler was given, in this order: the file that was opened, in which there may be contents, those that were chosen, firmware.
const given = new Map();
/// The last report, and the text it is about.
let report = null;
/// The line ending of the text that was opened: a text area knows only \n.
let ending = "\n";
let isChanged = false;
/// How often something has changed, and for which of these the report is.
let version = 0;
let examined = -1;
let examining = null;

/// The text as it is compiled and saved.
const manifestText = () => (ending === "\n" ? editor.value : editor.value.replaceAll("\n", ending));

// ---- Examining -------------------------------------------------------------------------------------------------------

let timer = 0;

function changed() {
  version++;
  clearTimeout(timer);
  timer = setTimeout(examine, editor.value.length > 200000 ? 600 : 120);
}

/// Examines until the report is about what is there now.
function examine() {
  clearTimeout(timer);
  examining ??= examineAll().finally(() => { examining = null; });
  return examining;
}

async function examineAll() {
  while (examined !== version) {
    const at = version;
    const { ok, bytes } = await compiler.ask("examine", utf8(manifestText()));
    examined = at;
    if (at !== version) continue;
    report = ok ? JSON.parse(textOf(bytes)) : { problems: [{ message: textOf(bytes), warning: false }] };
    if (ending === "\r\n") {
      for (const problem of report.problems) {
        // Each line before it has one character more.
        if (problem.line) { problem.from -= problem.line - 1; problem.to -= problem.line - 1; }
      }
    }
    show();
  }
}

// ---- Showing ---------------------------------------------------------------------------------------------------------

/// An element with a class, text, and children.
function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}

function size(bytes) {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : bytes + " bytes";
  for (const [unit, length] of [["KiB", 1024], ["MiB", MIB], ["GiB", 1024 * MIB]]) {
    const value = bytes / length;
    if (value < 1024 || unit === "GiB") return (value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)) + " " + unit;
  }
}

const count = (number, one) => number + " " + one + (number === 1 ? "" : "s");
const isWrong = () => !report || report.problems.some((problem) => !problem.warning);

function show() {
  showProblems();
  paint();
  showContents();
  showDisk();
  showWrites();
}

function showProblems() {
  const list = $("problems");
  const errors = report.problems.filter((problem) => !problem.warning);
  const warnings = report.problems.length - errors.length;
  list.replaceChildren(...report.problems.map((problem) => {
    const where = problem.line ? make("span", "where", problem.line + ":" + problem.column) : "";
    const code = problem.code ? make("span", "code", problem.code) : "";
    const what = make("span", "what", problem.message);
    const remedy = problem.remedy ? make("span", "remedy", problem.remedy) : "";
    const item = make("li", problem.warning ? "warning" : "error");
    if (problem.line) {
      const button = make("button", "problem", where, what, code, remedy);
      button.type = "button";
      button.setAttribute("aria-label", (problem.warning ? "Warning" : "Error") + " in line " + problem.line + ", column " + problem.column
        + ": " + problem.message + "; " + problem.remedy + ". Go there");
      button.addEventListener("click", () => goTo(problem));
      item.append(button);
    } else {
      item.append(make("div", "problem", make("span", "where", "!"), what, code, remedy));
    }
    return item;
  }));
  const summary = $("summary");
  const words = [errors.length ? count(errors.length, "problem") : "", warnings ? count(warnings, "warning") : ""].filter(Boolean);
  summary.textContent = words.length ? words.join(", ") : "Everything is right";
  summary.className = errors.length ? "error" : warnings ? "warning" : "good";
  editor.setAttribute("aria-invalid", errors.length > 0);
  const first = report.problems[0];
  say(first ? summary.textContent + ". " + (first.line ? "Line " + first.line + ": " : "") + first.message + (first.remedy ? "; " + first.remedy : "")
    : summary.textContent);
}

let saying = 0;
/// For screen readers, when the typing pauses.
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => { if ($("spoken").textContent !== text) $("spoken").textContent = text; }, 700);
}

function goTo({ from, to, line }) {
  editor.focus();
  editor.setSelectionRange(from, Math.max(to, from));
  editor.scrollTop = Math.max(0, (line - 1) * lineHeight() - editor.clientHeight / 3);
  paintPlace();
}

const lineHeight = () => parseFloat(getComputedStyle(editor).lineHeight);

// ---- The editor's colours ---------------------------------------------------------------------------------------------

/// A longer text is shown without colours.
const COLOURED = 80000;

/// Splits a line into [class, text] parts. `open` is the quotation marks of a text that began in a line before.
function tokens(line, open) {
  const parts = [];
  let at = 0;
  const take = (name, end) => { if (end > at) { parts.push([name, line.slice(at, end)]); at = end; } };
  if (open) {
    const end = line.indexOf(open);
    take("string", end < 0 ? line.length : end + 3);
    if (end < 0) return [parts, open];
    open = "";
  }
  const heading = at === 0 && /^\s*\[\[?[^\]"#=]*\]\]?/.exec(line);
  if (heading) take("heading", heading[0].length);
  const key = !heading && at === 0 && /^\s*[A-Za-z0-9_.-]+\s*(?==)/.exec(line);
  if (key) take("key", key[0].length);
  while (at < line.length) {
    const rest = line.slice(at);
    const triple = /^("""|''')/.exec(rest);
    if (triple) {
      const end = line.indexOf(triple[0], at + 3);
      if (end < 0) { take("string", line.length); return [parts, triple[0]]; }
      take("string", end + 3);
      continue;
    }
    const found = /^(?:(#.*)|("(?:\\.|[^"\\])*"?|'[^']*'?)|((?:true|false)\b|[+-]?\d[\w.:+-]*)|([^#"'\dtf+-]+|.))/.exec(rest);
    take(["comment", "string", "value", ""][[1, 2, 3].findIndex((group) => found[group] !== undefined)] ?? "", at + found[0].length);
  }
  return [parts, open];
}

/// Colours the text, underlines problems, numbers the lines. The text area above it is transparent.
function paint() {
  const text = editor.value;
  const lines = text.split("\n");
  const located = (report?.problems ?? []).filter((problem) => problem.line && examined === version);
  const marks = new Map();
  for (const problem of located) {
    if (!marks.has(problem.line) || !problem.warning) marks.set(problem.line, problem.warning ? "warning" : "error");
  }
  const numbers = [];
  let plain = "";
  lines.forEach((_, index) => {
    const mark = marks.get(index + 1);
    if (mark) {
      numbers.push(plain, make("span", mark, String(index + 1)));
      plain = "\n";
    } else {
      plain += index + 1 + "\n";
    }
  });
  $("numbers").replaceChildren(...numbers, plain);
  const isColoured = text.length <= COLOURED;
  editor.parentElement.classList.toggle("plain", !isColoured);
  const code = $("mirror").firstElementChild;
  if (!isColoured) { code.replaceChildren(); follow(); return; }
  const out = document.createDocumentFragment();
  let open = "";
  let start = 0;
  for (const line of lines) {
    let parts;
    [parts, open] = tokens(line, open);
    const here = located.filter((problem) => problem.from >= start && problem.from <= start + line.length);
    let at = start;
    for (const [name, word] of parts) {
      // A word is cut where a problem begins or ends in it.
      const cuts = here.flatMap(({ from, to }) => [from, to]).filter((cut) => cut > at && cut < at + word.length);
      const ends = [...new Set([...cuts, at + word.length])].sort((a, b) => a - b);
      let done = 0;
      for (const end of ends) {
        const piece = word.slice(done, end - at);
        const place = at + done;
        const problem = here.find(({ from, to }) => from <= place && place < Math.max(to, from + 1));
        const names = [name, problem ? (problem.warning ? "mark warning" : "mark error") : ""].filter(Boolean).join(" ");
        out.append(names ? make("span", names, piece) : piece);
        done = end - at;
      }
      at += word.length;
    }
    if (here.some(({ from }) => from === start + line.length)) out.append(make("span", "mark error", " "));
    out.append("\n");
    start += line.length + 1;
  }
  code.replaceChildren(out);
  follow();
}

/// The colours and the numbers follow the text area.
function follow() {
  $("mirror").firstElementChild.style.transform = `translate(${-editor.scrollLeft}px, ${-editor.scrollTop}px)`;
  $("numbers").scrollTop = editor.scrollTop;
}

function paintPlace() {
  const before = editor.value.slice(0, editor.selectionStart);
  const line = before.split("\n").length;
  $("place").textContent = "Line " + line + ", column " + ([...before.slice(before.lastIndexOf("\n") + 1)].length + 1);
}

// ---- Contents ---------------------------------------------------------------------------------------------------------

const rowsOfContents = new Map();

function showContents() {
  // While the text is no TOML, the last list stands.
  if (!report.contents) return;
  const names = report.contents.map(({ name }) => name);
  for (const [name, row] of rowsOfContents) {
    if (!names.includes(name)) { row.item.remove(); rowsOfContents.delete(name); }
  }
  report.contents.forEach(({ name, length }, index) => {
    let row = rowsOfContents.get(name);
    if (!row) {
      row = contentRow(name, index);
      rowsOfContents.set(name, row);
    }
    if ($("contents").children[index] !== row.item) $("contents").insertBefore(row.item, $("contents").children[index] ?? null);
    row.item.classList.toggle("missing", length === undefined);
    row.state.textContent = length === undefined ? "missing" : size(length);
    row.verb.textContent = length === undefined ? "Choose\u2026" : "Replace\u2026";
  });
  $("contents-card").hidden = names.length === 0;
}

let rowNumber = 0;
function contentRow(name) {
  const input = make("input", "choose");
  input.type = "file";
  input.id = "content-" + ++rowNumber;
  const verb = make("span", "");
  const label = make("label", "button", verb, make("span", "unseen", " file for " + name));
  label.htmlFor = input.id;
  const state = make("span", "state");
  const item = make("li", "", make("span", "name", name), state, make("span", "picker", input, label));
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = "";
    if (file) $("several-said").textContent = await addContent(name, file);
  });
  return { item, state, verb };
}

/// Adds a file under a name. Returns what is wrong, or nothing.
async function addContent(name, file) {
  if (file.size > 16 * MIB) return file.name + " has " + size(file.size) + ": flash has at most 16 MiB, use a shorter file";
  const bytes = await bytesOfFile(file);
  if (typeof bytes === "string") return bytes;
  await compiler.addFile(name, bytes);
  version++;
  await examine();
  return "";
}

async function bytesOfFile(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (reason) {
    return file.name + " cannot be read: " + reason.message;
  }
}

$("several").addEventListener("change", async ({ target }) => {
  const chosen = [...target.files];
  target.value = "";
  const said = [];
  for (const file of chosen) {
    const names = [...rowsOfContents.keys()].filter((name) => name === file.name || name.endsWith("/" + file.name));
    if (names.length === 0) said.push("the manifest names no " + file.name);
    for (const name of names) said.push(await addContent(name, file));
  }
  $("several-said").textContent = said.filter(Boolean).join("; ");
});

// ---- The disk ---------------------------------------------------------------------------------------------------------

const KINDS = {
  "partition table": "structure", "boot region": "structure", FAT: "structure", "allocation bitmap": "structure", "up-case table": "structure",
  directory: "directory", file: "file", "memory window": "memory", "dynamic window": "dynamic",
};
const KIND_NAMES = [["structure", "exFAT itself"], ["directory", "folders"], ["file", "files"], ["memory", "memory"], ["dynamic", "files at run time"], ["unused", "free"]];

function showDisk() {
  const disk = report.disk;
  $("stale").hidden = Boolean(disk) || !$("label").textContent;
  $("disk").classList.toggle("old", !disk);
  if (!disk) return;
  $("label").textContent = (disk.label || "no label") + (disk.digits ? "\u2026" : "");
  $("size").textContent = size(disk.blocks * 512) + ", exFAT, read-only";
  const shown = 12;
  const all = disk.files.map(({ path, length, memory }) => [memory ? "memory" : "file", path, size(length)]);
  for (const path of disk.built_in) all.push(["dynamic", path, "made by the board"]);
  if (disk.partitions) all.push(["dynamic", "partitions", "made by the board"]);
  if (disk.dynamic) all.push(["dynamic", "up to " + count(disk.dynamic, "file") + " at run time", ""]);
  const items = all.map(([kind, path, length]) => make("li", kind, make("i", kind), make("span", "name", path), make("span", "state", length)));
  const rest = items.splice(shown);
  if (rest.length) items.push(make("li", "rest", "and " + (disk.count - disk.files.length + rest.length) + " more"));
  if (!items.length) items.push(make("li", "rest", "Nothing yet: add [[file]] with path and text."));
  $("files").replaceChildren(...items);

  const kind = ({ holds }) => KINDS[holds] ?? "unused";
  $("map").replaceChildren(...disk.rows.map((row) => {
    const part = make("i", kind(row));
    part.style.flexGrow = Math.sqrt(row.length);
    return part;
  }));
  const there = new Set(disk.rows.map(kind));
  $("legend").replaceChildren(...KIND_NAMES.filter(([name]) => there.has(name)).map(([name, words]) => make("li", "", make("i", name), words)));
  $("rows").replaceChildren(...disk.rows.map((row) => make("tr", "",
    make("td", "", String(row.first)), make("td", "", String(row.length)),
    make("td", "", make("i", kind(row)), row.holds + (row.count > 1 ? ", " + row.count + " times" : "")), make("td", "", row.name))));
  $("clusters").textContent = disk.allocated + " of " + disk.clusters + " clusters of " + size(disk.cluster) + " allocated; a block has 512 bytes.";
}

// ---- Saving -----------------------------------------------------------------------------------------------------------

function describe(id, written, none) {
  $(id).replaceChildren(...(written ? [
    make("p", "", "Writes ", make("b", "", written.places), "."),
    make("p", "hint", written.details + "."),
    make("p", "hint", written.caution[0].toUpperCase() + written.caution.slice(1) + "."),
  ] : [make("p", "hint", none)]));
}

function showWrites() {
  const none = isWrong() ? "Mend the problems first." : "";
  $("save-config").setAttribute("aria-disabled", !report.config);
  describe("config-writes", report.config, none);
  $("save-picovd").setAttribute("aria-disabled", !report.picovd);
  describe("picovd-writes", report.picovd, given.has("firmware") ? none : "Choose picovd.uf2 first: the firmware as it was released.");
  showFlash();
}

function showFlash() {
  const { disk, config, picovd } = report;
  if (!disk || !config) return;
  const [[start, end]] = config.ranges;
  const program = picovd ? picovd.ranges[0][1] : 0;
  const settings = disk.settings_sectors ? disk.settings : disk.flash;
  const parts = [
    [program || start, program ? "structure" : "firmware", "firmware"],
    [program ? start - program : 0, "unused", ""],
    [end - start, "file", "this manifest"],
    [settings - end, "unused", "untouched"],
    [disk.flash - settings, "dynamic", "settings"],
  ].filter(([length]) => length > 0);
  $("flash").replaceChildren(...parts.map(([length, name]) => {
    const part = make("i", name);
    part.style.flexGrow = length;
    return part;
  }));
  const legend = parts.filter(([, , words]) => words);
  $("flash-legend").replaceChildren(...legend.map(([, name, words]) => make("li", "", make("i", name), words)), make("li", "", size(disk.flash) + " of flash"));
}

function download(name, bytes, type) {
  const link = make("a", "");
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/// Saves what the compiler makes of the text as it is now.
async function save(call, name, hint) {
  await examine();
  const { ok, bytes } = await compiler.ask(call);
  if (!ok) {
    const first = document.querySelector("#problems button");
    $("saved").textContent = "Not saved: " + textOf(bytes) + ".";
    if (isWrong() && first) first.focus();
    return;
  }
  download(name, bytes, "application/octet-stream");
  isChanged = false;
  $("saved").textContent = name + " is saved, " + size(bytes.length) + ". " + hint;
}

$("save-config").addEventListener("click", () => save("config_uf2", "CONFIG.UF2", "Copy it to the board's drive."));
$("save-picovd").addEventListener("click", () => save("picovd_uf2", "PICOVD.UF2", "Copy it to the board's drive."));
$("save-none").addEventListener("click", async () => {
  const { bytes } = await compiler.ask("none_uf2");
  download("NONE.UF2", bytes, "application/octet-stream");
  $("saved").textContent = "NONE.UF2 is saved. It takes the manifest out of flash.";
});
$("save-text").addEventListener("click", () => {
  download("MANIFEST.TOML", utf8(manifestText()), "application/toml");
  isChanged = false;
  $("saved").textContent = "MANIFEST.TOML is saved.";
});

async function takeFirmware(question, where) {
  const { ok, bytes: said } = await compiler.give("firmware", ...question);
  $("firmware-said").textContent = ok ? "Firmware " + textOf(said) + " " + where + "." : where + ": " + textOf(said) + ".";
  $("firmware-said").classList.toggle("error", !ok);
  if (!ok) return;
  version++;
  await examine();
}

$("firmware").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  if (file.size > 40 * MIB) {
    $("firmware-said").textContent = file.name + ": it is longer than 40 MiB, so it is no picovd.uf2.";
    return;
  }
  const bytes = await bytesOfFile(file);
  if (typeof bytes === "string") $("firmware-said").textContent = bytes;
  else await takeFirmware(["set_firmware", bytes], "from " + file.name);
});

// ---- Opening ----------------------------------------------------------------------------------------------------------

const EXAMPLES = {
  hello: `[[file]]
path = "HELLO.TXT"
text = "Hello!"
`,
  memory: `# The board's memory, as files.

[volume]
label = "MEMORY"

[[memory]]
path = "SRAM.BIN"
window = "sram"

[[memory]]
path = "FLASH.BIN"
window = "flash"

[info]
text = true
`,
  files: `# A stick with files of your own.

[volume]
label = "MY STICK"

[[file]]
path = "README.TXT"
text = """
Hello from the board.
"""

# The bytes of a file: choose it under "Add its files".
[[file]]
path = "docs/PICTURE.PNG"
content = "picture.png"
`,
};

function replace(text) {
  if (isChanged && !confirm("Replace the text? What you changed since the last save is lost.")) return false;
  ending = /\r\n/.test(text) && !/(^|[^\r])\n/.test(text) ? "\r\n" : "\n";
  editor.value = text;
  editor.setSelectionRange(0, 0);
  editor.scrollTop = 0;
  isChanged = false;
  version++;
  paint();
  paintPlace();
  examine();
  return true;
}

async function open(file) {
  const fail = (reason) => {
    $("saved").textContent = "";
    $("summary").textContent = file.name + ": " + reason;
    $("summary").className = "error";
    say("Not opened: " + file.name + ": " + reason);
  };
  if (file.size > 40 * MIB) return fail("it is longer than 40 MiB, so it is neither a UF2 file nor a copy of flash");
  const bytes = await bytesOfFile(file);
  if (typeof bytes === "string") return fail(bytes);
  const { ok, bytes: text } = await compiler.give("open", "open", bytes);
  if (!ok) return fail(textOf(text));
  if (replace(textOf(text))) $("saved").textContent = "";
}

$("open").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (file) open(file);
});

$("start").addEventListener("change", async ({ target }) => {
  const name = target.value;
  target.value = "";
  if (name) replace(name === "stock" ? textOf(await inflated("stock")) : EXAMPLES[name]);
});

// A file that is dropped anywhere: one that the manifest names is added, any other is opened.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", async (event) => {
  event.preventDefault();
  for (const file of event.dataTransfer.files) {
    const name = [...rowsOfContents.keys()].find((name) => name === file.name || name.endsWith("/" + file.name));
    if (name) $("several-said").textContent = await addContent(name, file);
    else await open(file);
  }
});

addEventListener("beforeunload", (event) => { if (isChanged) event.preventDefault(); });

editor.addEventListener("input", () => { isChanged = true; changed(); paint(); paintPlace(); });
editor.addEventListener("scroll", follow);
for (const event of ["keyup", "click", "focus"]) editor.addEventListener(event, paintPlace);

// ---- Start ------------------------------------------------------------------------------------------------------------

(async () => {
  compiler.wasm = bytesOf("wasm");
  compiler.script = URL.createObjectURL(new Blob([$("worker").textContent], { type: "text/javascript" }));
  compiler.start();
  replace(EXAMPLES.files.replace(/\n# The bytes[^]*$/, "\n[[memory]]\npath = \"SRAM.BIN\"\nwindow = \"sram\"\n"));
  if ($("inside").textContent) {
    $("firmware").closest(".picker").hidden = true;
    await takeFirmware(["set_image", await inflated("inside"), Number($("inside").dataset.family)], "is inside this page");
  }
})();
