/** The dashboard: the form asks, a `Run` reads, and what came of it is drawn once a frame. */

import { drawBars, drawMemory, formatBytes } from './charts.js';
import { DomainRows } from './rows.js';
import { Run } from './run.js';
import { VirtualTable, element } from './table.js';

const PRESETS = [1000, 20000, 50000, 114000];
const USUAL_DOMAINS = ['history', 'rejects'];
const SAMPLE_MS = 500;
const DRAW_MS = 100;
const SAMPLES = 1200; // ten minutes

/** @type {any} what the warehouse has */
const warehouse = await (await fetch('demo/warehouse')).json();
const page = Object.fromEntries([...document.querySelectorAll('[id]')].map((found) => [found.id, found]));
const form = /** @type {HTMLFormElement} */ (page.ask);
const { profile, keys, worker } = /** @type {any} */ (form.elements);

/**
 * The made-up loss reasons in English: not every machine has a font for the names.
 * @type {Record<string, string>}
 */
const LOSS_REASONS = {
  缺角: 'chipped corner', 裂痕: 'crack', 斷線: 'broken wire', 偏移: 'misplaced', 沾污: 'stain', 氣泡: 'void',
  短路: 'short circuit', 開路: 'open circuit', 尺寸不符: 'wrong size', 印字不良: 'bad marking', 漏電: 'leakage', 其他: 'other',
};

/** @type {Run | null} */
let run = null;
/** @type {Map<string, DomainRows>} */
let domains = new Map();
let shown = '';
/** @type {import('./charts.js').Sample[]} */
let samples = [];
let lines = { limit: /** @type {number | null} */ (null), incident: 0 };
let frame = 0;
let drawn = 0; // when
let chosen = new AbortController(); // of the decision that is being asked for

const table = new VirtualTable(page.table, (index) => domains.get(shown)?.at(index));

// -- the form

function buildForm() {
  keys.max = warehouse.cids;
  keys.value = Math.min(keys.value, warehouse.cids);
  const usual = PRESETS.filter((preset) => preset <= warehouse.cids);
  for (const preset of usual.length ? usual : [warehouse.cids]) {
    const button = element('button', preset.toLocaleString('en'), { type: 'button' });
    button.addEventListener('click', () => {
      keys.value = preset;
      decide();
    });
    form.querySelector('.presets')?.append(button);
  }
  for (const domain of warehouse.domains) {
    const box = element('input', '', { type: 'checkbox', name: 'domain', value: domain });
    /** @type {HTMLInputElement} */ (box).checked = USUAL_DOMAINS.includes(domain);
    const label = element('label', '', { class: 'chip' });
    label.append(box, element('span', domain));
    page.domains.append(label);
  }
}

const chosenDomains = () => new FormData(form).getAll('domain').map(String);

/**
 * Say why nothing can be read as it is chosen; an empty text if it can.
 * @param {string[]} wanted
 */
function mistakeIn(wanted) {
  const { validity } = keys;
  if (validity.badInput || validity.valueMissing) return 'Write the number of container ids.';
  if (validity.rangeUnderflow) return 'At least 1 container id is needed.';
  if (validity.stepMismatch) return 'The number of container ids is a whole number.';
  if (validity.rangeOverflow) return `This warehouse has ${warehouse.cids.toLocaleString('en')} container ids: start the demo with --cids for more.`;
  return wanted.length ? '' : 'Choose at least one domain.';
}

/** Ask what the server would answer now, and show why. */
async function decide() {
  chosen.abort();
  chosen = new AbortController();
  const wanted = chosenDomains();
  const mistake = mistakeIn(wanted);
  page.start.disabled = Boolean(mistake) || run?.state === 'running';
  if (mistake) {
    page.decision.replaceChildren(element('span', mistake, { class: 'why' }));
    return;
  }
  const query = new URLSearchParams([['profile', profile.value], ['keys', keys.value], ...wanted.map((name) => ['domain', name])]);
  if (worker.checked) query.set('worker', '1');
  try {
    const response = await fetch(`demo/decision?${query}`, { signal: chosen.signal });
    const { answer, rule, figures, incident_bytes } = await response.json();
    const words = { accept: 'read now', enqueue: 'read as a job', reject: 'refused' }[/** @type {string} */ (answer)];
    const badge = element('span', words, { class: `badge ${answer}` });
    page.decision.replaceChildren(badge, element('span', figures, { class: 'why' }), element('span', `rule ${rule}`, { class: 'rule' }));
    lines = { ...lines, incident: incident_bytes };
    draw();
  } catch {
    // another choice was made, or the server is away: starting will tell
  }
}

// -- a run

function start() {
  run?.cancel();
  const wanted = { profile: profile.value, domains: chosenDomains() };
  const ours = new Run(worker.checked ? 'api/trace' : 'api/trace-without-worker', wanted, warehouse.ids, Number(keys.value));
  run = ours;
  domains = new Map(wanted.domains.map((domain) => [domain, new DomainRows(() => table.redraw())]));
  samples = [];
  table.columns = [];
  show(wanted.domains[0]);
  buildTabs();
  page.chart.replaceChildren();
  ours.read(
    (line) => run === ours && domains.get(line.domain)?.add(/** @type {Record<string, unknown>[]} */ (line.data)),
    () => run === ours && (ours.ended ? finish(ours) : draw()),
  );
  draw();
}

/** @param {Run} ours */
function finish(ours) {
  if (ours.state === 'complete' && ours.jobId) {
    for (const [domain, rows] of domains) rows.fetchFrom((offset, limit) => fetchPage(ours, domain, offset, limit));
  }
  draw();
  decide();
}

/**
 * @param {Run} ours
 * @param {string} domain
 * @param {number} offset
 * @param {number} limit
 */
async function fetchPage(ours, domain, offset, limit) {
  const query = new URLSearchParams({ domain, offset: String(offset), limit: String(limit) });
  const response = await fetch(`${ours.url}/job/${ours.jobId}/result?${query}`);
  if (!response.ok) throw new Error(`${response.status}`);
  return (await response.json()).results[domain].data;
}

// -- drawing

/** Draw soon: ten times a second is enough to follow, and leaves the rest of the time to the rows. */
function draw() {
  frame ||= requestAnimationFrame((now) => {
    frame = 0;
    if (now - drawn < DRAW_MS) return draw();
    drawn = now;
    drawMemory(page.memory, samples, lines);
    drawLegend();
    if (run) drawRun(run);
  });
}

/** @param {Run} run */
function drawRun(run) {
  const running = run.state === 'running';
  page.bar.value = run.percent;
  page.rows.textContent = run.rows.toLocaleString('en');
  page.rate.textContent = Math.round(run.rate).toLocaleString('en');
  page.first.textContent = run.firstRow === null ? '–' : `${(run.firstRow / 1000).toFixed(2)} s`;
  page.elapsed.textContent = `${run.seconds.toFixed(1)} s`;
  const words = describe(run);
  if (page.state.textContent !== words) page.state.textContent = words; // or a screen reader says it again
  page.state.dataset.state = run.state;
  page.start.disabled = running || !chosenDomains().length;
  page.cancel.disabled = page.cut.disabled = !running;
  page.kill.disabled = !running || !run.jobId;
  const rows = domains.get(shown);
  if (rows) {
    table.columns = rows.columns;
    table.length = rows.length;
    page.shown.textContent = rows.length < rows.count ? `first ${format(rows.length)} of ${format(rows.count)}` : `${format(rows.count)} rows`;
  }
  for (const tab of page.tabs.children) tab.lastChild.textContent = format(domains.get(tab.dataset.domain)?.count ?? 0);
  drawBars(page.chart, run.reasons, LOSS_REASONS);
  drawBars(page.charged, run.charged);
  page.attribution.hidden = !run.charged.size;
  page.chart.dataset.counted = String(run.wanted.domains.includes('rejects'));
}

/** @param {Run} run */
function describe(run) {
  const resumed = run.connections > 1 ? `, resumed ${run.connections - 1}×` : '';
  const failed = run.failedDomains.length ? ` Failed: ${run.failedDomains.join(', ')}.` : '';
  switch (run.state) {
    case 'complete':
      return `Complete: every row came, counts and checksums agree${resumed}.${failed}`;
    case 'cancelled':
      return 'Cancelled: the server stopped reading.';
    case 'failed':
      return `${run.error?.name}: ${run.error?.message}`;
    default:
      if (!run.connections) return 'Asked, waiting for the answer.';
      return `${run.jobId ? 'A worker reads, and its rows come as it reads' : 'The server reads now'}${resumed}.`;
  }
}

function drawLegend() {
  const now = samples.at(-1);
  const entries = /** @type {[string, string, number | null | undefined][]} */ ([
    ['server', 'server', now?.server],
    ['worker', 'worker', now?.worker],
    ['limit', 'limit of this machine', lines.limit],
    ['incident', 'the incident’s pipeline would need', lines.incident],
  ]);
  page['memory-text'].replaceChildren(
    ...entries.map(([name, words, bytes]) => {
      const entry = element('span', '', { class: 'entry' });
      entry.append(element('i', '', { class: `swatch ${name}` }), `${words} `, element('b', bytes ? formatBytes(bytes) : '–'));
      return entry;
    }),
  );
}

function buildTabs() {
  page.tabs.replaceChildren(
    ...[...domains.keys()].map((domain) => {
      const tab = element('button', '', { type: 'button', role: 'tab', 'data-domain': domain, 'aria-controls': 'table' });
      tab.append(element('span', domain), element('small', '0'));
      tab.addEventListener('click', () => show(domain));
      return tab;
    }),
  );
  show(shown);
}

/** @param {string} domain */
function show(domain) {
  shown = domain;
  page.table.scrollTop = 0;
  table.redraw();
  for (const tab of page.tabs.children) {
    const selected = tab.dataset.domain === domain;
    tab.setAttribute('aria-selected', String(selected));
    tab.tabIndex = selected ? 0 : -1;
  }
  draw();
}

/** @param {number} count */
const format = (count) => count.toLocaleString('en');

// -- memory

async function sample() {
  if (!document.hidden) {
    const job = run?.state === 'running' && run.jobId ? `?job=${run.jobId}` : '';
    try {
      const { server, worker, limit } = await (await fetch(`demo/memory${job}`)).json();
      lines = { ...lines, limit };
      samples.push({ at: performance.now() / 1000, server, worker });
      if (run?.ended) samples.splice(0, samples.length - SAMPLES);
      if (samples.length > SAMPLES) samples = samples.filter((_, index) => index % 2);
      draw();
    } catch {
      // the server is away: the next sample will tell
    }
  }
  setTimeout(sample, SAMPLE_MS);
}

// -- events

form.addEventListener('input', decide);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
page.cancel.addEventListener('click', () => run?.cancel());
page.cut.addEventListener('click', () => fetch('demo/cut', { method: 'POST' }));
page.kill.addEventListener('click', () => fetch(`demo/kill/${run?.jobId}`, { method: 'POST' }));
page.tabs.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const names = [...domains.keys()];
  show(names[(names.indexOf(shown) + step + names.length) % names.length]);
  page.tabs.querySelector('[aria-selected="true"]')?.focus();
});
addEventListener('pagehide', () => run?.cancel()); // nobody looks at it any more
addEventListener('resize', draw);

buildForm();
decide();
draw();
sample();
