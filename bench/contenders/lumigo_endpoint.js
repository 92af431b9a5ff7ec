// aws-sdk v2 ignores AWS_ENDPOINT_URL: node --require this file points lumigo-cli's own copy at it.
const { createRequire } = require("module");
const path = require("path");

const AWS = createRequire(path.join(process.env.LUMIGO_CLI, "index.js"))("aws-sdk");
AWS.config.update({ sqs: { endpoint: process.env.AWS_ENDPOINT_URL } });

// It also sends every request to the host in the queue's URL, which is the server's and not the proxy's: the injected
// round trip would be left out. Stay with the endpoint.
AWS.SQS.prototype.buildEndpoint = function buildEndpoint() {};
