// A foreign SMPP peer on the npm library `smpp`, in either role:
//
//   node node_peer.js esme HOST PORT      submits, collects receipts, exits 0 if all is right
//   node node_peer.js carrier PORT        accepts binds, answers, sends receipts, reports at SIGTERM
//
// The last line on stdout is one JSON object. python_peer.py does the same with another library.
'use strict';

const smpp = require('smpp');

const PIPELINED = 200;
const LIMIT_MS = 30000;
const RECEIPT_BIT = 0x04;
const UNICODE = 'Grüße, Łódź, Ελλάδα, 你好, 🚀';

function esme(host, port) {
  const count = PIPELINED + 2;
  const ids = new Map(); // message id -> receipts that came for it
  const early = []; // receipts that came before the response that names their id
  const faults = [];
  let answered = 0;
  let final = 0;
  let leaving = false;

  const session = smpp.connect({ host, port });
  const limit = setTimeout(() => end('not done in time'), LIMIT_MS);

  function end(fault) {
    if (fault) faults.push(fault);
    clearTimeout(limit);
    console.log(JSON.stringify({ submitted: count, answered, ids: ids.size, receipts: final, faults }));
    process.exit(faults.length === 0 ? 0 : 1);
  }

  function submit(fields) {
    const sent = session.submit_sm(
      { source_addr: '1000', destination_addr: '491701234567', registered_delivery: 1, ...fields },
      (response) => {
        answered += 1;
        if (response.command_status !== 0) return end(`submit answered ${response.command_status}`);
        if (!response.message_id) return end('submit answered without an id');
        if (ids.has(response.message_id)) return end(`id ${response.message_id} given twice`);
        ids.set(response.message_id, 0);
        for (const receipt of early.splice(0)) settle(receipt);
        leaveWhenDone();
      },
    );
    if (!sent) end('the socket is not writable');
  }

  function settle(receipt) {
    if (!ids.has(receipt.id)) return early.push(receipt);
    if (receipt.stat !== 'DELIVRD') return end(`receipt says ${receipt.stat}`);
    ids.set(receipt.id, ids.get(receipt.id) + 1);
    if (ids.get(receipt.id) > 1) return end(`second receipt for ${receipt.id}`);
    final += 1;
  }

  function leaveWhenDone() {
    if (leaving || answered < count || final < count) return;
    leaving = true;
    session.unbind((response) => {
      if (response.command_status !== 0) return end(`unbind answered ${response.command_status}`);
      session.close(() => end());
    });
  }

  session.on('error', (error) => end(`error: ${error.message}`));
  session.on('close', () => leaving || end('closed by the hub'));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('deliver_sm', (pdu) => {
    session.send(pdu.response());
    if ((pdu.esm_class & RECEIPT_BIT) === 0) return end('a deliver_sm that is not a receipt');
    const receipt = readReceipt(pdu.short_message.message);
    if (!receipt) return end(`no receipt: ${JSON.stringify(pdu.short_message)}`);
    // A 3.4 peer is owed the TLVs beside the text, and they must agree.
    if (pdu.receipted_message_id !== receipt.id) return end(`TLV id ${pdu.receipted_message_id}, text ${receipt.id}`);
    if (pdu.message_state !== smpp.MESSAGE_STATE.DELIVERED) return end(`TLV state ${pdu.message_state}`);
    settle(receipt);
    leaveWhenDone();
  });
  session.on('connect', () => {
    session.bind_transceiver({ system_id: 'demo', password: 'demo', interface_version: 0x34 }, (response) => {
      if (response.command_status !== 0) return end(`bind answered ${response.command_status}`);
      console.log('ready');
      submit({ short_message: 'plain text' });
      submit({ short_message: UNICODE, data_coding: 0x08 });
      for (let n = 0; n < PIPELINED; n += 1) submit({ short_message: `n=${String(n).padStart(10, '0')}` });
    });
  });
}

function readReceipt(text) {
  const id = /\bid:(\S+)/i.exec(String(text));
  const stat = /\bstat:(\S+)/i.exec(String(text));
  return id && stat ? { id: id[1], stat: stat[1] } : null;
}

function carrier(port) {
  const counts = { binds: 0, submits: 0, unicode_intact: 0, receipts: 0, receipts_answered: 0, refused: 0 };

  const server = smpp.createServer((session) => {
    session.on('error', () => session.destroy());
    const bind = (pdu) => {
      counts.binds += 1;
      session.send(pdu.response({ system_id: 'node-carrier' }));
    };
    session.on('bind_transceiver', bind);
    session.on('bind_transmitter', bind);
    session.on('bind_receiver', bind);
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => {
      session.send(pdu.response());
      session.close();
    });
    session.on('submit_sm', (pdu) => {
      counts.submits += 1;
      if (pdu.data_coding === 0x08 && pdu.short_message.message === UNICODE) counts.unicode_intact += 1;
      const id = `node${counts.submits}`;
      session.send(pdu.response({ message_id: id }));
      if (pdu.registered_delivery & 1) sendReceipt(session, pdu, id);
    });
  });

  function sendReceipt(session, submit, id) {
    counts.receipts += 1;
    session.deliver_sm(
      {
        source_addr: submit.destination_addr,
        destination_addr: submit.source_addr,
        esm_class: RECEIPT_BIT,
        short_message:
          `id:${id} sub:001 dlvrd:001 submit date:2611220200 done date:2611220201 stat:DELIVRD err:000 text:`,
        // Text alone, as 3.3 had it, and text with TLVs, turn by turn.
        ...(counts.receipts % 2 === 0 && {
          receipted_message_id: id,
          message_state: smpp.MESSAGE_STATE.DELIVERED,
        }),
      },
      (response) => {
        if (response.command_status === 0) counts.receipts_answered += 1;
        else counts.refused += 1;
      },
    );
  }

  process.on('SIGTERM', () => {
    console.log(JSON.stringify(counts));
    process.exit(0);
  });
  server.listen(port, '127.0.0.1', () => console.log('ready'));
}

const [role, ...rest] = process.argv.slice(2);
if (role === 'esme' && rest.length === 2) esme(rest[0], Number(rest[1]));
else if (role === 'carrier' && rest.length === 1) carrier(Number(rest[0]));
else {
  console.error('usage: node_peer.js esme HOST PORT | carrier PORT');
  process.exit(2);
}
