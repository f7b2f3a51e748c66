// Starts a node binary and calls it by flownode.v1: what go-plugin and sdk/client do for a host in Go.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { generate } from 'selfsigned';

const maxMessage = 16 << 20;

// start runs the node binary, does the handshake and returns the process. proto is the path of node.proto.
export async function start(binary, proto) {
  const own = await certificate();
  const sockets = mkdtempSync(join(tmpdir(), 'fn-')); // mode 0700, and short: the path of a socket has at most 107 bytes
  const child = spawn(binary, [], {
    stdio: ['pipe', 'pipe', 'inherit'], // stdin: the lifeline. stdout: the handshake. stderr: the node's log, JSON lines
    env: {
      PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', // what the node needs of ours, and no secrets
      FLOWNODE_PLUGIN: '9b1f6e0c5d0f4f3aa2f0f7f5c1f4e6d8',
      FLOWNODE_LIFELINE: 'stdin',
      PLUGIN_PROTOCOL_VERSIONS: '1',
      PLUGIN_UNIX_SOCKET_DIR: sockets,
      PLUGIN_CLIENT_CERT: own.cert,
    },
  });
  const exited = once(child, 'exit').finally(() => rmSync(sockets, { recursive: true, force: true }));
  exited.catch(() => {}); // whoever waits for it hears of it
  try {
    const [line] = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(10_000) }),
      exited.then(([code]) => { throw new Error(`the node ended before the handshake, with ${code}`); }),
    ]);
    return new NodeProcess(child, exited, connect(line, own, proto));
  } catch (problem) {
    child.kill('SIGKILL');
    throw problem;
  }
}

// certificate makes the key and the certificate by which the node knows us, for this one start.
function certificate() {
  return generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec', curve: 'P-256', algorithm: 'sha256',
    extensions: [{ name: 'basicConstraints', cA: true }, { name: 'extKeyUsage', clientAuth: true }],
  });
}

// connect reads the handshake line, core|contract|network|address|protocol|certificate, and dials.
function connect(line, own, proto) {
  const [core, contract, network, address, protocol, der] = line.split('|');
  if (core !== '1' || contract !== '1' || network !== 'unix' || protocol !== 'grpc' || !der) {
    throw new Error(`this is no handshake of flownode.v1 with a certificate: ${line}`);
  }
  const base64 = Buffer.from(der, 'base64').toString('base64'); // the line leaves out the padding
  const theirs = `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
  const credentials = grpc.credentials.createSsl(Buffer.from(theirs), Buffer.from(own.private), Buffer.from(own.cert));
  const { flownode } = grpc.loadPackageDefinition(loadSync(proto, { longs: Number, enums: String, defaults: true, oneofs: true }));
  return new flownode.v1.NodeService(`unix:${address}`, credentials, {
    'grpc.ssl_target_name_override': 'localhost', // the name in the node's certificate
    'grpc.max_receive_message_length': maxMessage,
    'grpc.max_send_message_length': maxMessage,
  });
}

class NodeProcess {
  constructor(child, exited, service) {
    Object.assign(this, { child, exited, service });
  }

  // call is Describe, Validate, Configure, Drain or Close.
  call(method, request, seconds = 10) {
    return promisify(this.service[method]).call(this.service, request, new grpc.Metadata(), within(seconds));
  }

  // execute runs an operation; what it reports goes to progress. It returns the output, or throws the node's Failed message.
  async execute({ input, ...request }, progress = () => {}, seconds = 300) {
    const stream = this.service.Execute({ ...request, input: bytes(input) }, new grpc.Metadata(), within(seconds));
    let succeeded;
    for await (const message of stream) {
      switch (message.result) {
        case 'progress':
          await progress(message.progress.stage, message.progress.data.length ? JSON.parse(message.progress.data) : {});
          break;
        case 'succeeded':
          succeeded = message.succeeded;
          break;
        case 'failed':
          throw Object.assign(new Error(message.failed.message), message.failed); // code, effect, retryable, violations …
      }
    }
    if (!succeeded) {
      throw new Error('the stream ended without a completion: the effect is unknown');
    }
    return JSON.parse(succeeded.output);
  }

  // subscribe opens a stream of events: read its messages, write {ack} and {stop}.
  subscribe(start, seconds) {
    const stream = this.service.Subscribe(new grpc.Metadata(), seconds ? within(seconds) : {});
    stream.write({ start });
    return stream;
  }

  // end lets running calls finish for at most grace seconds and ends the process.
  async end(grace = 10) {
    await this.call('Drain', { grace: { seconds: grace } }, grace + 5);
    await this.call('Close', {});
    this.service.getChannel().close(); // service.close would be the contract's Close
    this.child.stdin.end(); // the end of the lifeline is the end of the node
    const late = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await this.exited.finally(() => clearTimeout(late));
  }
}

// bytes is a JSON document as the contract carries it.
export const bytes = (value) => Buffer.from(JSON.stringify(value));

const within = (seconds) => ({ deadline: Date.now() + seconds * 1000 });
