// Reads streams for test_ndjson.py: a line of JSON for each, {bytes, cuts}, is answered with {records, end}.
import { createInterface } from 'node:readline';
import { readLines } from '../../frontend/ndjson.js';
import { inPieces } from '../frontend/streams.mjs';

const OURS = ['Truncated', 'Malformed', 'Incomplete', 'JobFailed'];

function pieces(bytes, cuts) {
  const ends = [...cuts, bytes.length];
  return ends.map((end, number) => bytes.subarray(number ? ends[number - 1] : 0, end));
}

async function read({ bytes, cuts }) {
  const records = [];
  let last = '';
  try {
    for await (const line of readLines(inPieces(pieces(Buffer.from(bytes, 'base64'), cuts)))) {
      last = line.type;
      if (line.type === 'records') records.push([line.domain ?? '', line.data]);
    }
  } catch (error) {
    return { records, end: OURS.includes(error.name) ? 'refused' : `fault ${error.stack}`, why: `${error.name} ${error.message}` };
  }
  return { records, end: last };
}

for await (const asked of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await read(JSON.parse(asked)))}\n`);
}
