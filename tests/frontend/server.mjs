// The HTTP contract over one recorded job, with answers that go wrong on request.
import http from 'node:http';

const JOB = 'trace-evt-0123456789ab';

/**
 * Serves the lines of one job. Each request takes the next of *script*, for its kind (`events`, `stream`, `status`,
 * `result`, `cancel`), as long as there is one: a function of request and response, or a number of bytes after which a
 * stream breaks off.
 */
export class JobServer {
  asked = [];
  closed = 0; // streams whose client hung up
  script = { events: [], stream: [], status: [], result: [], cancel: [] };
  status = { job_id: JOB, status: 'finished', domains: ['holds'], progress: { percent: 100 }, elapsed_seconds: 1, error: null };
  hold = false; // a stream stays open at its end

  constructor(lines) {
    this.lines = lines;
  }

  static async started(lines) {
    const server = new JobServer(lines);
    server.http = http.createServer((request, response) => server.#answer(request, response));
    await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
    server.url = `http://127.0.0.1:${server.http.address().port}/api/trace`;
    server.jobId = JOB;
    return server;
  }

  async close() {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  of(kind) {
    return this.asked.filter((asked) => asked.kind === kind);
  }

  #answer(request, response) {
    const url = new URL(request.url, 'http://host');
    const kind = kindOf(request.method, url.pathname);
    const asked = { kind, method: request.method, path: request.url, headers: request.headers, body: '' };
    this.asked.push(asked);
    request.on('data', (data) => (asked.body += data));
    request.on('end', () => {
      const scripted = this.script[kind].shift();
      if (typeof scripted === 'function') scripted(request, response);
      else if (kind === 'stream') this.#stream(Number(url.searchParams.get('from')), response, scripted ?? Infinity);
      else if (kind === 'result') this.#page(url.searchParams, response);
      else if (kind === 'events') json(response, 202, { stage: 'events', async: true, job_id: JOB });
      else json(response, kind === 'cancel' ? 202 : 200, this.status);
    });
  }

  #stream(from, response, left) {
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
    response.on('close', () => (this.closed += response.writableFinished ? 0 : 1));
    let seen = 0;
    for (const line of this.lines) {
      const isRecords = line.startsWith('{"type":"records"');
      if (isRecords) seen += 1;
      if (from && seen <= from && !line.startsWith('{"type":"meta"')) continue;
      response.write(line.slice(0, left));
      left -= line.length;
      if (left <= 0) return void setTimeout(() => response.destroy(), 5); // after what was written left
    }
    if (!this.hold) response.end();
  }

  #page(query, response) {
    const rows = this.lines.map((line) => JSON.parse(line)).filter((line) => line.type === 'records').flatMap((line) => line.data);
    const offset = Number(query.get('offset'));
    const data = rows.slice(offset, offset + Math.min(2, Number(query.get('limit'))));
    const results = { [query.get('domain')]: { data, count: data.length, total: rows.length } };
    json(response, 200, { stage: 'events', results, aggregation: { rejects: 3 } });
  }
}

function kindOf(method, path) {
  if (method === 'POST') return 'events';
  if (method === 'DELETE') return 'cancel';
  return ['stream', 'result'].find((kind) => path.endsWith(`/${kind}`)) ?? 'status';
}

export function json(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export const answer = (status, body = {}, headers = {}) => (_, response) => json(response, status, body, headers);

export const page = (status) => (_, response) => {
  response.writeHead(status, { 'Content-Type': 'text/html' });
  response.end('<html><body>\nBad gateway\n</body></html>');
};

export const hangUp = (request) => request.socket.destroy();

export async function until(ask, seconds = 5) {
  for (const end = Date.now() + 1000 * seconds; !ask(); ) {
    if (Date.now() > end) throw new Error(`nothing came of it within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
