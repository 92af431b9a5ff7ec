// node cdk_pattern.js N: synthesises N QueueProcessingFargateServices, and prints how many resources that makes.
// CDK_LIB is the folder with aws-cdk-lib in its node_modules, CDK_OUT where the template goes.
const { createRequire } = require("module");
const path = require("path");

const load = createRequire(path.join(process.env.CDK_LIB, "index.js"));
const cdk = load("aws-cdk-lib");
const ec2 = load("aws-cdk-lib/aws-ec2");
const ecs = load("aws-cdk-lib/aws-ecs");
const patterns = load("aws-cdk-lib/aws-ecs-patterns");

const workers = Number(process.argv[2]);
const app = new cdk.App({ outdir: process.env.CDK_OUT, analyticsReporting: false });
let resources = 0;
// CloudFormation allows 500 resources in a stack: 20 workers (338 resources) fit into one.
for (let first = 0; first < workers; first += 20) {
  const stack = new cdk.Stack(app, `Workers${first}`);
  const vpc = new ec2.Vpc(stack, "Vpc", { maxAzs: 2, natGateways: 0 });
  const cluster = new ecs.Cluster(stack, "Cluster", { vpc });
  for (let number = first; number < Math.min(first + 20, workers); number++) {
    new patterns.QueueProcessingFargateService(stack, `Orders${number}`, {
      cluster,
      image: ecs.ContainerImage.fromRegistry("example.com/orders:1"),
      cpu: 256,
      memoryLimitMiB: 512,
      minScalingCapacity: 0,
      maxScalingCapacity: 20,
      assignPublicIp: true,
      taskSubnets: { subnetType: ec2.SubnetType.PUBLIC },
    });
  }
}
for (const stack of app.synth().stacks) resources += Object.keys(stack.template.Resources).length;
console.log(resources);
