// The JavaScript SDK's own view of a ledger. Takes {rpcUrl, friendbotUrl, passphrase, contractId, nativeTokenId} as its
// first argument, plays one journey, prints what it saw as JSON. It asserts nothing: the Python test does.
const sdk = require("@stellar/stellar-sdk");
const { rpc, contract, Keypair, Contract, TransactionBuilder, Address, nativeToScVal, scValToNative, BASE_FEE } = sdk;

const place = JSON.parse(process.argv[2]);
const server = new rpc.Server(place.rpcUrl, { allowHttp: true });
const seen = {};

// What this SDK cannot decode is told as its error: a newer protocol's ledger headers, since it reads them eagerly.
const unlessUndecodable = (asked, read) => asked.then(read, (error) => ({ error: String(error.message) }));
const plain = (value) =>
  JSON.parse(JSON.stringify(value, (_, item) => (typeof item === "bigint" ? item.toString() : item)));
const address = (text) => new Address(text).toScVal();
const integer = (number, type) => nativeToScVal(BigInt(number), { type });

async function read(contractId, method, ...args) {
  const source = new sdk.Account(Keypair.random().publicKey(), "0");
  const transaction = new TransactionBuilder(source, { fee: BASE_FEE, networkPassphrase: place.passphrase })
    .addOperation(new Contract(contractId).call(method, ...args))
    .setTimeout(60)
    .build();
  const simulated = await server.simulateTransaction(transaction);
  if (rpc.Api.isSimulationError(simulated)) throw new Error(simulated.error);
  return scValToNative(simulated.result.retval);
}

async function write(signer, contractId, method, ...args) {
  const source = await server.getAccount(signer.publicKey());
  const built = new TransactionBuilder(source, { fee: BASE_FEE, networkPassphrase: place.passphrase })
    .addOperation(new Contract(contractId).call(method, ...args))
    .setTimeout(60)
    .build();
  const prepared = await server.prepareTransaction(built);
  prepared.sign(signer);
  const sent = await server.sendTransaction(prepared);
  const closed = await server.pollTransaction(sent.hash, { attempts: 20, sleepStrategy: () => 50 });
  return { sent: sent.status, status: closed.status, hash: sent.hash, closed };
}

async function main() {
  const payer = Keypair.random();
  const recipient = Keypair.random();
  seen.network = await server.getNetwork();
  seen.health = await server.getHealth();
  await server.requestAirdrop(payer.publicKey());
  await server.fundAddress(recipient.publicKey());
  seen.latest = await unlessUndecodable(server.getLatestLedger(), (latest) => ({
    sequence: latest.sequence,
    closeTime: latest.closeTime,
    header: latest.headerXdr !== undefined,
  }));

  const balance = (who) => read(place.nativeTokenId, "balance", address(who));
  const before = await balance(recipient.publicKey());
  const drafted = await write(
    payer,
    place.contractId,
    "create_draft_stream",
    address(payer.publicKey()),
    address(recipient.publicKey()),
    address(place.nativeTokenId),
    integer(25_000_000, "i128"),
    integer(1, "u64"),
  );
  const streamId = scValToNative(drafted.closed.returnValue);
  const started = await write(payer, place.contractId, "start_stream", integer(streamId, "u64"));
  const settled = await write(payer, place.contractId, "settle", integer(streamId, "u64"));
  const again = await write(payer, place.contractId, "settle", integer(streamId, "u64"));
  seen.raw = plain({
    streamId,
    statuses: [drafted, started, settled, again].map((step) => [step.sent, step.status]),
    stream: scValToNative(started.closed.returnValue),
    settledReturns: scValToNative(settled.closed.returnValue) ?? null,
    ledgers: [drafted, started, settled].map((step) => step.closed.ledger),
    paid: (await balance(recipient.publicKey())) - before,
  });

  const page = await server.getEvents({
    startLedger: drafted.closed.ledger,
    filters: [{ type: "contract", contractIds: [place.contractId, place.nativeTokenId] }],
    limit: 100,
  });
  seen.events = plain(
    page.events.map((event) => ({
      contract: event.contractId.toString(),
      topics: event.topic.map(scValToNative),
      value: scValToNative(event.value),
      txHash: event.txHash,
    })),
  );

  const client = await contract.Client.from({
    contractId: place.contractId,
    rpcUrl: place.rpcUrl,
    networkPassphrase: place.passphrase,
    allowHttp: true,
    publicKey: payer.publicKey(),
    ...contract.basicNodeSigner(payer, place.passphrase),
  });
  const created = await client.create_draft_stream({
    sender: payer.publicKey(),
    recipient: recipient.publicKey(),
    token: place.nativeTokenId,
    total_amount: 30_000_000n,
    duration: 1n,
  });
  const generated = (await created.signAndSend()).result.unwrap();
  await (await client.start_stream({ stream_id: generated })).signAndSend();
  const paid = await (await client.settle({ stream_id: generated })).signAndSend();
  const view = await client.get_stream({ stream_id: generated });
  const missing = await client.get_stream({ stream_id: 999_999n });
  seen.client = plain({
    methods: client.spec.funcs().length,
    streamId: generated,
    settled: paid.result,
    status: view.result.unwrap().status,
    missing: missing.result.error.message,
  });

  // The recipient pays the fee, the payer only agrees: two signatures by two parties.
  const sponsor = Keypair.random();
  await server.fundAddress(sponsor.publicKey());
  const sponsored = await contract.Client.from({
    contractId: place.contractId,
    rpcUrl: place.rpcUrl,
    networkPassphrase: place.passphrase,
    allowHttp: true,
    publicKey: sponsor.publicKey(),
    ...contract.basicNodeSigner(sponsor, place.passphrase),
  });
  const joint = await sponsored.create_draft_stream({
    sender: payer.publicKey(),
    recipient: recipient.publicKey(),
    token: place.nativeTokenId,
    total_amount: 10_000_000n,
    duration: 5n,
  });
  const needed = joint.needsNonInvokerSigningBy();
  await joint.signAuthEntries({
    expiration: (await server.getHealth()).latestLedger + 100, // by default out of the header
    address: payer.publicKey(),
    ...contract.basicNodeSigner(payer, place.passphrase),
  });
  const stranger = joint.needsNonInvokerSigningBy();
  const jointly = await joint.signAndSend();
  seen.joint = plain({
    needed: needed.map((who) => who === payer.publicKey()),
    afterwards: stranger,
    streamId: jointly.result.unwrap(),
  });

  seen.transactions = (await server.getTransactions({ startLedger: 1, pagination: { limit: 100 } })).transactions.length;
  seen.ledgers = await unlessUndecodable(
    server.getLedgers({ startLedger: 1, pagination: { limit: 100 } }),
    (page) => page.ledgers.length,
  );
  seen.fees = (await server.getFeeStats()).sorobanInclusionFee.max;
  seen.version = (await server.getVersionInfo()).version;
  process.stdout.write(JSON.stringify(seen));
}

main().catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
