// SMPP sessions of the npm library `smpp`, held for a test that says what to send and is told all that comes.
//
//   node node_bridge.js
//
// Says `ready PORT`, where one test may connect; ends when the test hangs up. Both ways go JSON objects, one a line.
// Octet strings are { "hex": "..." }, times { "in_s": SECONDS FROM NOW }; all else is as the library takes and gives it.
//
//   { "connect": NAME, "port": PORT }                 a session that we open
//   { "listen": NAME, "port": PORT, "bind": FIELDS }  sessions NAME/1, NAME/2 … that others open; binds get FIELDS
//   { "send": NAME, "command": COMMAND, "fields": FIELDS }
//   { "answer": NAME, "command": COMMAND, "sequence": NUMBER, "fields": FIELDS }
//   { "close": NAME }
//
// enquire_link and unbind are answered here, and so are the binds of those who come to a listener.
'use strict';

const net = require('net');
const readline = require('readline');
const smpp = require('smpp');

// What the library doesn't know by itself: vendors' parameters, and a request that 3.4 dropped.
for (const id of [0x1400, 0x1401, 0x1402, 0x1403]) {
  smpp.addTLV(`vendor_${id.toString(16)}`, { id, type: smpp.types.tlv.buffer });
}
smpp.addCommand('query_last_msgs', { id: 0x23 });

// What the library read, beside what it made of it: each PDU after its command_length.
const { fromStream } = smpp.PDU;
smpp.PDU.fromStream = (stream, length) => {
  let octets = null;
  const pdu = fromStream({ read: (size) => (octets = stream.read(size)) }, length);
  if (pdu) pdu.octets = octets;
  return pdu;
};

const sessions = new Map();

net
  .createServer((test) => {
    const tell = (said) => test.write(`${JSON.stringify(said)}\n`);
    test.on('close', () => process.exit(0));
    test.on('error', () => process.exit(1));
    readline.createInterface({ input: test }).on('line', (line) => obey(JSON.parse(line, revive), tell));
  })
  .listen(0, '127.0.0.1', function listening() {
    console.log(`ready ${this.address().port}`);
  });

function obey(order, tell) {
  if (order.connect) {
    const session = smpp.connect({ host: '127.0.0.1', port: order.port });
    keep(order.connect, session, tell);
    session.on('connect', () => tell({ session: order.connect, event: 'open' }));
  } else if (order.listen) {
    listen(order, tell);
  } else if (order.send) {
    sessions.get(order.send)[order.command](order.fields);
  } else if (order.answer) {
    const fields = { ...order.fields, sequence_number: order.sequence };
    sessions.get(order.answer).send(new smpp.PDU(`${order.command}_resp`, fields));
  } else if (order.close) {
    sessions.get(order.close).close();
  }
}

function listen(order, tell) {
  let count = 0;
  const server = smpp.createServer((session) => {
    count += 1;
    keep(`${order.listen}/${count}`, session, tell);
    const accept = (pdu) => session.send(pdu.response(order.bind));
    for (const kind of ['transceiver', 'transmitter', 'receiver']) session.on(`bind_${kind}`, accept);
  });
  server.listen(order.port, '127.0.0.1', () => tell({ session: order.listen, event: 'listening' }));
}

function keep(name, session, tell) {
  sessions.set(name, session);
  session.on('pdu', (pdu) => pdu.command === 'enquire_link' || tell({ session: name, pdu: toHex(pdu) }));
  session.on('error', (error) => tell({ session: name, event: `error: ${error.message}` }));
  session.on('close', () => tell({ session: name, event: 'closed' }));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
}

function revive(_, value) {
  if (value && typeof value.hex === 'string') return Buffer.from(value.hex, 'hex');
  if (value && typeof value.in_s === 'number') return new Date(Date.now() + value.in_s * 1000);
  return value;
}

function toHex(value) {
  if (Buffer.isBuffer(value)) return { hex: value.toString('hex') };
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(toHex);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toHex(inner)]));
  }
  return value;
}
