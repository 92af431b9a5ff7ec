// node cdk_pattern.js N: synthesises N QueueProcessingFargateServices, and prints how many resources that makes.
const { ec2, load, synthesise } = require("./cdk_stacks");
const ecs = load("aws-cdk-lib/aws-ecs");
const patterns = load("aws-cdk-lib/aws-ecs-patterns");

function worker(stack, name, { cluster }) {
  new patterns.QueueProcessingFargateService(stack, name, {
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

// 20 workers are 338 resources.
synthesise(20, (stack, vpc) => ({ cluster: new ecs.Cluster(stack, "Cluster", { vpc }) }), worker);
