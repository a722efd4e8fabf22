/** Memory over time, and bars: plain SVG and elements, drawn anew each time. */

import { element } from './table.js';

const SVG = 'http://www.w3.org/2000/svg';
const LEFT = 56;
const BOTTOM = 20;
const MiB = 2 ** 20;
const MOST_BARS = 8;

/**
 * @typedef {{at: number, server: number | null, worker: number | null}} Sample *at* in seconds, memory in bytes
 */

/**
 * The memory of server and worker, beside *limit* and *incident*, on a logarithmic scale: what lies between them is a
 * hundredfold.
 * @param {SVGSVGElement} svg
 * @param {Sample[]} samples
 * @param {{limit: number | null, incident: number}} lines
 */
export function drawMemory(svg, samples, { limit, incident }) {
  const { clientWidth: width, clientHeight: height } = svg;
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const low = Math.log2(16 * MiB);
  const high = Math.log2(Math.max(2048 * MiB, incident, limit ?? 0) * 1.5);
  const first = samples[0]?.at ?? 0;
  const last = Math.max(first + 10, samples.at(-1)?.at ?? 0);
  /** @param {number} at */
  const x = (at) => LEFT + ((at - first) / (last - first)) * (width - LEFT - 8);
  /** @param {number} bytes */
  const y = (bytes) => 8 + (1 - (Math.log2(Math.max(bytes, 16 * MiB)) - low) / (high - low)) * (height - BOTTOM - 8);
  const parts = [];
  for (let power = Math.ceil(low); power <= high; power += 2) {
    parts.push(shape('line', { x1: LEFT, x2: width - 8, y1: y(2 ** power), y2: y(2 ** power), class: 'grid' }));
    parts.push(label(formatBytes(2 ** power), { x: LEFT - 8, y: y(2 ** power) + 4, class: 'axis', 'text-anchor': 'end' }));
  }
  for (const [bytes, name] of /** @type {const} */ ([[incident, 'incident'], [limit, 'limit']])) {
    if (bytes) parts.push(shape('line', { x1: LEFT, x2: width - 8, y1: y(bytes), y2: y(bytes), class: `mark ${name}` }));
  }
  for (const name of /** @type {const} */ (['server', 'worker'])) {
    for (const run of runsOf(samples, name)) {
      const points = run.map((sample) => `${x(sample.at).toFixed(1)},${y(Number(sample[name])).toFixed(1)}`).join(' ');
      parts.push(shape('polyline', { points, class: `memory-line ${name}` }));
    }
  }
  parts.push(label('0 s', { x: LEFT, y: height - 4, class: 'axis' }));
  parts.push(label(`${Math.round(last - first)} s`, { x: width - 8, y: height - 4, class: 'axis', 'text-anchor': 'end' }));
  svg.replaceChildren(...parts);
}

/**
 * Without the times at which there was no such process.
 * @param {Sample[]} samples
 * @param {'server' | 'worker'} name
 */
function runsOf(samples, name) {
  /** @type {Sample[][]} */
  const runs = [[]];
  for (const sample of samples) {
    if (sample[name] !== null) runs[runs.length - 1].push(sample);
    else if (runs[runs.length - 1].length) runs.push([]);
  }
  return runs.filter((run) => run.length);
}

/**
 * The largest of *counts*, with the rest in one bar.
 * @param {HTMLElement} place
 * @param {Map<string, number>} counts
 * @param {Record<string, string>} [words] shown in place of names
 */
export function drawBars(place, counts, words = {}) {
  const sorted = [...counts].sort((one, other) => other[1] - one[1]);
  const rest = sorted.slice(MOST_BARS).reduce((sum, [, count]) => sum + count, 0);
  const shown = sorted.slice(0, MOST_BARS).concat(rest ? [['all others', rest]] : []);
  const most = Math.max(1, ...shown.map(([, count]) => count));
  place.replaceChildren(
    ...shown.map(([name, count]) => {
      const row = element('div', '', { class: 'bar' });
      const fill = element('span', '', { class: 'bar-fill' });
      fill.style.width = `${(100 * count) / most}%`;
      const track = element('span', '', { class: 'bar-track' });
      track.append(fill);
      row.append(element('span', words[name] ?? name, { class: 'bar-name', title: name }), track, element('span', count.toLocaleString('en'), { class: 'bar-count' }));
      return row;
    }),
  );
  place.setAttribute('aria-label', shown.map(([name, count]) => `${words[name] ?? name}: ${count}`).join(', ') || 'no rejects yet');
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 && value % 1 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
  return made;
}

/**
 * @param {string} text
 * @param {Record<string, string | number>} attributes
 */
function label(text, attributes) {
  const made = shape('text', attributes);
  made.textContent = text;
  return made;
}
