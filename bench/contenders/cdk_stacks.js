// What both programs of CDK share. CDK_LIB is the folder with aws-cdk-lib in its node_modules, CDK_OUT where the
// templates go.
const { createRequire } = require("module");
const path = require("path");

const load = createRequire(path.join(process.env.CDK_LIB, "index.js"));
const cdk = load("aws-cdk-lib");
const ec2 = load("aws-cdk-lib/aws-ec2");

// Synthesises the workers that the command line says, `most` in a stack, and prints how many resources that makes.
// share(stack, vpc) makes what the workers of a stack have in common; add(stack, name, shared) makes one worker.
// CloudFormation allows 500 resources in a stack.
function synthesise(most, share, add) {
  const workers = Number(process.argv[2]);
  const app = new cdk.App({ outdir: process.env.CDK_OUT, analyticsReporting: false });
  for (let first = 0; first < workers; first += most) {
    const stack = new cdk.Stack(app, `Workers${first}`);
    const shared = share(stack, new ec2.Vpc(stack, "Vpc", { maxAzs: 2, natGateways: 0 }));
    for (let number = first; number < Math.min(first + most, workers); number++) add(stack, `Orders${number}`, shared);
  }
  const counts = app.synth().stacks.map((stack) => Object.keys(stack.template.Resources).length);
  console.log(counts.reduce((sum, count) => sum + count, 0));
}

module.exports = { cdk, ec2, load, synthesise };
