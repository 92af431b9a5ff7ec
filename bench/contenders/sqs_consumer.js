// node sqs_consumer.js QUEUE_URL: sqs-consumer with a trivial handler for batches of 10, measured as meter.py does.
// SQS_CONSUMER is the folder with sqs-consumer in its node_modules.
const { createRequire } = require("module");
const fs = require("fs");
const path = require("path");

const load = createRequire(path.join(process.env.SQS_CONSUMER, "index.js"));
const { Consumer } = load("sqs-consumer");
const { SQSClient } = load("@aws-sdk/client-sqs");

const messages = Number(process.env.METER_MESSAGES);
const warmUp = Number(process.env.METER_WARM_UP);
const latencies = [];
let handled = 0;
let begun;

function now() {
  const usage = process.cpuUsage();
  return { at: performance.now() / 1000, cpu: (usage.user + usage.system) / 1e6 };
}

function count(body) {
  const data = JSON.parse(body).detail.data;
  handled += 1;
  if (handled > warmUp && data.sent_at) latencies.push(Date.now() / 1000 - data.sent_at);
  if (handled === warmUp) begun = now();
  if (handled !== messages) return;
  const end = now();
  const measured = {
    messages: messages - warmUp,
    seconds: end.at - begun.at,
    cpu_seconds: end.cpu - begun.cpu,
    latencies,
  };
  fs.writeFileSync(`${process.env.METER_FILE}.part`, JSON.stringify(measured));
  fs.renameSync(`${process.env.METER_FILE}.part`, process.env.METER_FILE);
  consumer.stop();
}

const consumer = Consumer.create({
  queueUrl: process.argv[2],
  sqs: new SQSClient({ region: process.env.AWS_DEFAULT_REGION, endpoint: process.env.AWS_ENDPOINT_URL }),
  batchSize: 10,
  waitTimeSeconds: 1,
  handleMessageBatch: async (batch) => {
    batch.forEach((message) => count(message.Body));
    return batch;
  },
});
consumer.on("stopped", () => process.exit(0));
consumer.start();
