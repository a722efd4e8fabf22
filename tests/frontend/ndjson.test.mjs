import assert from 'node:assert/strict';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { test } from 'node:test';
import { Account, Incomplete, JobFailed, Malformed, Refused, Truncated, crc32, readLines } from '../../frontend/ndjson.js';
import { collect, cutEvery, inPieces, records, recorded, stream } from './streams.mjs';

const lines = (pieces, options) => collect(readLines(inPieces(pieces), options));
const MULTIBYTE = [{ ID: '焊接_DB', X: '𝄞é"\\' }, { ID: 'b[', X: '],"data":[' }];

test('a recorded stream gives its lines and rows', async () => {
  const found = await lines([recorded]);
  assert.deepEqual(
    found.map((line) => line.type),
    ['meta', 'domain_start', 'domain_end', 'domain_start', 'records', 'records', 'domain_end', 'aggregation', 'warning', 'complete'],
  );
  assert.deepEqual(found[4].data[0], { ID: '焊接', QTYCONSUMED: 1379.417 });
});

test('bytes cut in two at every position give the same lines', async () => {
  const bytes = Buffer.concat([...stream([MULTIBYTE, [{ ID: '終' }]])].map((line) => Buffer.from(line)));
  const whole = await lines([bytes]);
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(await lines([bytes.subarray(0, at), bytes.subarray(at)]), whole, `cut at ${at}`);
  }
});

test('bytes that come one by one give the same lines', async () => {
  assert.deepEqual(await lines(cutEvery(recorded, 1)), await lines([recorded]));
});

test('a stream that ends after any of its bytes is truncated', async () => {
  const bytes = Buffer.from(stream([MULTIBYTE, [{ ID: 1 }]]).join(''));
  for (let end = 0; end < bytes.length; end++) {
    await assert.rejects(lines([bytes.subarray(0, end)]), Truncated, `ended at ${end}`);
  }
});

test('a connection that breaks gives its cause, after the lines that came whole', async () => {
  const [meta, start, first] = stream([[{ ID: 1 }], [{ ID: 2 }]]);
  const seen = [];
  const broken = new TypeError('network error');
  const reading = async () => {
    for await (const line of readLines(inPieces([meta + start + first + first.slice(0, 20), broken]))) seen.push(line.type);
  };
  await assert.rejects(reading, (error) => error instanceof Truncated && error.cause === broken && /after 1 rows/.test(error.message));
  assert.deepEqual(seen, ['meta', 'domain_start', 'records']);
});

test('a stream without complete is truncated, even when all rows came', async () => {
  await assert.rejects(lines(stream([[{ ID: 1 }]]).slice(0, -1)), Truncated);
});

test('rows that are fewer or more than their line says are incomplete', async () => {
  for (const count of [0, 2, 4]) {
    const line = records('holds', 0, [{ ID: 1 }, { ID: 2 }, { ID: 3 }]).replace('"count":3', `"count":${count}`);
    await assert.rejects(lines([line]), (error) => error instanceof Incomplete && error.message === `3 of ${count} rows came (holds)`);
  }
});

test('a batch that is missing, or comes twice, is incomplete at once', async () => {
  const [meta, start, first, second, third] = stream([[1], [2], [3]]);
  await assert.rejects(lines([meta, start, first, third]), /batch 1 of holds is missing/);
  await assert.rejects(lines([meta, start, first, second, second]), Incomplete);
});

test('rows that are fewer or other than complete says are incomplete', async () => {
  const batches = [[{ ID: 1 }], [{ ID: 2 }]];
  await lines(stream(batches));
  await assert.rejects(lines(stream(batches, { rows: 3 })), (error) => error instanceof Incomplete && /2 of 3 rows/.test(error.message));
  await assert.rejects(lines(stream(batches, { checksum: '00000000' })), /other rows of holds came/);
  const noDomains = [...stream(batches).slice(0, -1), '{"type":"complete","total_records":3}\n'];
  await assert.rejects(lines(noDomains), (error) => error instanceof Incomplete && /2 of 3 rows came \(all\)/.test(error.message));
});

test('rows that are fewer than domain_end says are incomplete', async () => {
  const all = stream([[{ ID: 1 }]]);
  all.splice(3, 0, '{"type":"domain_end","domain":"holds","count":2}\n');
  await assert.rejects(lines(all), (error) => error instanceof Incomplete && /1 of 2 rows came \(holds\)/.test(error.message));
});

test('a domain of which nothing came, though rows were counted, is incomplete', async () => {
  const end = '{"type":"complete","total_records":0,"domains":{"holds":{"rows":4,"checksum":"8230d2f7"}}}\n';
  await assert.rejects(lines([end]), Incomplete);
});

test('the checksum covers rows whose values look like brackets and members', async () => {
  await lines(stream([MULTIBYTE, MULTIBYTE]));
  await assert.rejects(lines(stream([MULTIBYTE], { checksum: 'ffffffff' })), Incomplete);
});

test('rows in the compact shape are checked, and given as data, too', async () => {
  const checksum = (crc32('[1,"a"],[2,null]') >>> 0).toString(16).padStart(8, '0');
  const found = await lines([
    '{"type":"records","domain":"holds","batch":0,"count":2,"rows":[[1,"a"],[2,null]]}\n',
    `{"type":"complete","total_records":2,"domains":{"holds":{"rows":2,"checksum":"${checksum}"}}}\n`,
  ]);
  assert.deepEqual(found[0].data, [[1, 'a'], [2, null]]);
});

test('the checksum is the one of zlib', { skip: !zlibCrc32 && 'this Node has no zlib.crc32' }, () => {
  for (const text of ['', 'a', '焊接', 'x'.repeat(100_000)]) assert.equal(crc32(text) >>> 0, zlibCrc32(text));
});

test('the checksum of {"ID":1} is the one that the Python client knows', () => {
  assert.equal((crc32('{"ID":1}') >>> 0).toString(16), '8230d2f7');
  assert.equal(crc32('b', crc32('a')), crc32('ab'));
});

test('an error line ends the stream with the words and details of the server', async () => {
  const line = '{"type":"error","message":"chunk 3 is gone","problem":{"status":500,"code":"CHUNK_LOST"}}\n';
  await assert.rejects(lines([stream([[1]])[0], line]), (error) => {
    assert.ok(error instanceof JobFailed);
    assert.equal(error.name, 'JobFailed');
    assert.equal(error.message, 'chunk 3 is gone');
    assert.equal(error.problem.code, 'CHUNK_LOST');
    return true;
  });
});

test('the page of a proxy is malformed, though its status is 200', async () => {
  const page = '<!doctype html>\n<html><body>Sign in</body></html>\n';
  await assert.rejects(lines([page]), (error) => error instanceof Malformed && /<!doctype html>/.test(error.message));
  await assert.rejects(lines([stream([[1]])[0], page]), Malformed);
});

test('garbage is malformed, never skipped', async () => {
  for (const bad of ['\n', 'null\n', '3\n', '[]\n', '{}\n', '{"type":""}\n', '{"type":"meta"\n', '{"type":"meta"}{"type":"meta"}\n']) {
    await assert.rejects(lines([bad, ...stream([[1]])]), Malformed, JSON.stringify(bad));
  }
  for (const bad of ['{"type":"records","domain":"holds","batch":0,"count":1}\n', '{"type":"records","data":{"ID":1}}\n']) {
    await assert.rejects(lines([bad]), Malformed);
  }
});

test('bytes that are no UTF-8 are malformed, never replaced', async () => {
  const line = Buffer.from(records('holds', 0, [{ ID: 'é' }]));
  const open = Buffer.concat([line.subarray(0, line.indexOf(0xc3) + 1), line.subarray(line.indexOf(0xc3) + 2)]);
  for (const bad of [Buffer.from([0xff, 10]), Buffer.from([0x22, 0xe7, 0x84, 10]), open]) {
    await assert.rejects(lines([bad]), Malformed);
  }
});

test('a type that we do not know passes', async () => {
  const [meta, ...rest] = stream([[1]]);
  const found = await lines([meta, '{"type":"news","text":"hello"}\n', ...rest]);
  assert.equal(found[1].text, 'hello');
});

test('a line over the cap is malformed before it is whole', async () => {
  let pieces = 0;
  const long = (function* () {
    while (pieces++ < 1_000) yield 'x'.repeat(1_000);
  })();
  await assert.rejects(lines(long, { maxLineBytes: 5_000 }), /a line of 6000 bytes or more, limit 5000/);
  assert.ok(pieces < 10);
  const line = records('holds', 0, ['焊'.repeat(100)]);
  const bytes = Buffer.byteLength(line) - 1;
  await assert.rejects(lines([line], { maxLineBytes: bytes - 1 }), Malformed);
  await assert.rejects(lines([line], { maxLineBytes: bytes }), Truncated);
});

test('a line of 10 MB is read in time that is linear in its length, however small its pieces', async () => {
  const took = async (bytes, piece) => {
    const all = Buffer.from(stream([[{ TEXT: '焊接'.repeat(bytes / 6) }]]).join(''));
    const began = performance.now();
    const found = await lines(cutEvery(all, piece));
    assert.equal(found[2].data[0].TEXT.length, 2 * Math.floor(bytes / 6));
    return performance.now() - began;
  };
  await took(1e6, 1_000);
  const [small, large] = [await took(1e6, 1_000), await took(1e7, 1_000)];
  assert.ok(large < 40 * Math.max(small, 5), `10 MB took ${large} ms, 1 MB ${small} ms`);
});

test('a refusal carries the status, the details and when to come again', async () => {
  const problem = { error: 'not enough memory at the moment', code: 'BUSY' };
  const init = { status: 503, headers: { 'Retry-After': '7', 'Content-Type': 'application/problem+json' } };
  const response = new Response(JSON.stringify(problem), init);
  await assert.rejects(collect(readLines(response)), (error) => {
    assert.ok(error instanceof Refused);
    assert.deepEqual([error.status, error.retryAfter, error.problem.code, error.passing], [503, 7, 'BUSY', true]);
    return /503 not enough memory/.test(error.message);
  });
});

test('a refusal whose body is a page or nothing is one, too', async () => {
  for (const body of ['<html>Bad gateway</html>', '', 'null', '"text"', '[]']) {
    const response = new Response(body, { status: 502, headers: { 'Retry-After': 'Wed, 25 Nov 2026 08:00:00 GMT' } });
    await assert.rejects(collect(readLines(response)), (error) => error instanceof Refused && error.retryAfter === 0);
  }
  await assert.rejects(collect(readLines(new Response(null, { status: 204 }))), Refused);
});

test('an aborted signal ends the loop with its reason and the request with it', async () => {
  const controller = new AbortController();
  let cancelled = false;
  const body = new ReadableStream({
    start: (stream_) => stream_.enqueue(new TextEncoder().encode(stream([[1], [2]]).slice(0, 3).join(''))),
    cancel: () => (cancelled = true),
  });
  const seen = [];
  const reading = async () => {
    for await (const line of readLines(new Response(body), { signal: controller.signal })) {
      seen.push(line.type);
      if (line.type === 'records') setTimeout(() => controller.abort(new Error('enough')));
    }
  };
  await assert.rejects(reading, /enough/);
  assert.deepEqual(seen, ['meta', 'domain_start', 'records']);
  assert.ok(cancelled);
});

test('after an abort no line is delivered, though it came already', async () => {
  const controller = new AbortController();
  const seen = [];
  const reading = async () => {
    for await (const line of readLines(inPieces([stream([[1], [2]]).join('')]), { signal: controller.signal })) {
      seen.push(line.type);
      controller.abort();
    }
  };
  await assert.rejects(reading, { name: 'AbortError' });
  assert.deepEqual(seen, ['meta']);
});

test('a signal that was aborted before ends it at once', async () => {
  await assert.rejects(lines(stream([[1]]), { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('leaving the loop ends the request', async () => {
  let cancelled = false;
  const body = new ReadableStream({
    pull: (stream_) => stream_.enqueue(new TextEncoder().encode('{"type":"meta"}\n')),
    cancel: () => (cancelled = true),
  });
  for await (const line of readLines(new Response(body))) if (line) break;
  assert.ok(cancelled);
});

test('a server that is silent for too long is taken for gone', async () => {
  const body = new ReadableStream({ start: (stream_) => stream_.enqueue(new TextEncoder().encode('{"type":"meta"}\n')) });
  await assert.rejects(
    collect(readLines(new Response(body), { timeout: 0.02 })),
    (error) => error instanceof Truncated && /silent for 0.02 s/.test(String(error.cause)),
  );
});

test('an account goes on over two responses', async () => {
  const [meta, start, first, second, end] = stream([[{ ID: 1 }], [{ ID: 2 }]]);
  const account = new Account();
  await assert.rejects(lines([meta, start, first, second.slice(0, 30)], { account }), Truncated);
  assert.equal(account.lines, 1);
  assert.deepEqual((await lines([meta, second, end], { account })).map((line) => line.type), ['meta', 'records', 'complete']);
});

test('many lines in one piece leave the event loop time', async () => {
  const rows = Array.from({ length: 2_000 }, (_, id) => ({ ID: id, TEXT: 'x'.repeat(200) }));
  const bytes = new TextEncoder().encode(stream(Array.from({ length: 60 }, () => rows)).join(''));
  let longest = 0;
  let last = performance.now();
  const ticking = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const began = performance.now();
  await lines([bytes]);
  clearInterval(ticking);
  const all = performance.now() - began;
  assert.ok(longest < all / 2, `the loop stood still for ${longest} of ${all} ms`);
});
