// Streams to test with: recorded ones, and responses cut as a test likes.
import { readFile } from 'node:fs/promises';
import { crc32 } from '../../frontend/ndjson.js';

export const recorded = await readFile(new URL('../trace/recorded_stream.ndjson', import.meta.url));

/** A response whose body comes in these pieces, bytes or text; an Error among them breaks the connection. */
export function inPieces(pieces, init) {
  const source = pieces[Symbol.iterator]();
  const body = new ReadableStream({
    pull(controller) {
      const { done, value } = source.next();
      if (done) controller.close();
      else if (value instanceof Error) controller.error(value);
      else controller.enqueue(typeof value === 'string' ? new TextEncoder().encode(value) : value);
    },
  });
  return new Response(body, init);
}

/** The bytes cut after every *size* of them. */
export function* cutEvery(bytes, size) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export const records = (domain, batch, rows) =>
  `${JSON.stringify({ type: 'records', domain, batch, count: rows.length, data: rows })}\n`;

/** A whole stream of one domain, in batches; what its lines tell is true unless *told* says otherwise. */
export function stream(batches, told = {}) {
  const rows = batches.flat();
  const checksum = (crc32(rows.map((row) => JSON.stringify(row)).join(',')) >>> 0).toString(16).padStart(8, '0');
  const total = { rows: rows.length, checksum, ...told };
  return [
    '{"type":"meta","job_id":"j","profile":"p","domains":["holds"],"version":1}\n',
    '{"type":"domain_start","domain":"holds","total":null,"columns":[{"name":"ID"}]}\n',
    ...batches.map((batch, number) => records('holds', number, batch)),
    `${JSON.stringify({ type: 'complete', total_records: total.rows, domains: { holds: total } })}\n`,
  ];
}

export async function collect(lines) {
  const found = [];
  for await (const line of lines) found.push(line);
  return found;
}
