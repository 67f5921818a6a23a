// A server on the npm package smpp that answers binds and submissions: node node_server.js PORT
'use strict';

const smpp = require('smpp');

let number = 0;
const server = smpp.createServer((session) => {
  session.on('bind_transceiver', (pdu) => session.send(pdu.response()));
  session.on('submit_sm', (pdu) => {
    number += 1;
    session.send(pdu.response({ message_id: String(number) }));
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on('error', () => session.close());
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
