// What readLines makes of a recorded stream: `node recorded.mjs FILE` prints it as JSON.
import { readFile } from 'node:fs/promises';
import { readLines } from '../../frontend/ndjson.js';

const told = { rows: {}, warning: null, aggregation: null, whole: null, error: null };
try {
  for await (const line of readLines(new Response(await readFile(process.argv[2])))) {
    if (line.type === 'records') (told.rows[line.domain] ??= []).push(...line.data);
    else if (line.type === 'warning') told.warning = line.failed_domains;
    else if (line.type === 'aggregation') told.aggregation = line.data;
    else if (line.type === 'full_result') told.whole = line.data;
  }
} catch (error) {
  told.error = error.name;
}
console.log(JSON.stringify(told));
