// node cdk_same_resources.js N: synthesises N queue workers with the AWS resources that `queue_workers` has, written
// with CDK's constructs; prints how many resources that makes.
const { cdk, ec2, load, synthesise } = require("./cdk_stacks");
const cloudwatch = load("aws-cdk-lib/aws-cloudwatch");
const dynamodb = load("aws-cdk-lib/aws-dynamodb");
const ecs = load("aws-cdk-lib/aws-ecs");
const events = load("aws-cdk-lib/aws-events");
const iam = load("aws-cdk-lib/aws-iam");
const logs = load("aws-cdk-lib/aws-logs");
const scaling = load("aws-cdk-lib/aws-applicationautoscaling");
const sqs = load("aws-cdk-lib/aws-sqs");
const ssm = load("aws-cdk-lib/aws-ssm");
const targets = load("aws-cdk-lib/aws-events-targets");

const { Duration } = cdk;
const minute = Duration.minutes(1);

function worker(stack, name, { bus, cluster, securityGroup }) {
  const encryption = sqs.QueueEncryption.SQS_MANAGED;
  const retentionPeriod = Duration.days(14);
  const undelivered = new sqs.Queue(stack, `${name}Undelivered`, { encryption, enforceSSL: true, retentionPeriod });
  const deadLetters = new sqs.Queue(stack, `${name}Dlq`, { encryption, enforceSSL: true, retentionPeriod });
  const queue = new sqs.Queue(stack, `${name}Queue`, {
    encryption,
    enforceSSL: true,
    visibilityTimeout: Duration.seconds(120),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
  });
  new events.Rule(stack, `${name}Rule`, {
    eventBus: bus,
    eventPattern: { source: ["pizza.service.com"], detailType: ["OrderCreated"] },
    targets: [new targets.SqsQueue(queue, { deadLetterQueue: undelivered })],
  });
  const table = new dynamodb.Table(stack, `${name}Idempotency`, {
    partitionKey: { name: "id", type: dynamodb.AttributeType.STRING },
    billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: "expiration",
  });
  const logGroup = new logs.LogGroup(stack, `${name}Logs`, { retention: logs.RetentionDays.ONE_MONTH });
  const definition = new ecs.FargateTaskDefinition(stack, `${name}Task`, { cpu: 256, memoryLimitMiB: 512 });
  definition.addContainer("worker", {
    image: ecs.ContainerImage.fromRegistry("example.com/orders:1"),
    logging: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: name }),
    environment: { QUEUE_URL: queue.queueUrl, IDEMPOTENCY_TABLE: table.tableName },
  });
  queue.grantConsumeMessages(definition.taskRole);
  deadLetters.grantSendMessages(definition.taskRole);
  table.grantReadWriteData(definition.taskRole);
  const service = new ecs.FargateService(stack, `${name}Service`, {
    cluster,
    taskDefinition: definition,
    securityGroups: [securityGroup],
    assignPublicIp: true,
    vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
    minHealthyPercent: 100,
  });
  new iam.Policy(stack, `${name}Protection`, {
    roles: [definition.taskRole],
    statements: [
      new iam.PolicyStatement({ actions: ["ecs:UpdateTaskProtection"], resources: [`${cluster.clusterArn}/*`] }),
    ],
  });
  scale(service, name, queue);
  watch(stack, name, { queue, deadLetters, undelivered, service });
  new ssm.StringParameter(stack, `${name}Manifest`, {
    stringValue: stack.toJsonString({ queue: queue.queueUrl, service: service.serviceName }),
  });
}

function scale(service, name, queue) {
  const tasks = service.autoScaleTaskCount({ minCapacity: 0, maxCapacity: 20 });
  const visible = queue.metricApproximateNumberOfMessagesVisible({ period: minute });
  tasks.scaleToTrackCustomMetric(`${name}Backlog`, { metric: visible, targetValue: 30 });
  // Two policies and two alarms: up from zero, and down to it.
  tasks.scaleOnMetric(`${name}Steps`, {
    metric: visible,
    scalingSteps: [
      { upper: 0, change: -1 },
      { lower: 1, change: 1 },
    ],
    adjustmentType: scaling.AdjustmentType.CHANGE_IN_CAPACITY,
  });
}

function watch(stack, name, { queue, deadLetters, undelivered, service }) {
  const alarm = (id, metric, threshold, evaluationPeriods = 1) =>
    new cloudwatch.Alarm(stack, `${name}${id}`, { metric, threshold, evaluationPeriods });
  const failed = { namespace: "AWS/Events", metricName: "FailedInvocations", period: minute };
  alarm("DeadLetters", deadLetters.metricApproximateNumberOfMessagesVisible(), 1);
  alarm("UndeliveredEvents", undelivered.metricApproximateNumberOfMessagesVisible(), 1);
  alarm("OldestMessage", queue.metricApproximateAgeOfOldestMessage(), 180);
  alarm("FailedInvocations", new cloudwatch.Metric(failed), 1);
  alarm("NoRunningTask", service.metricCpuUtilization({ statistic: "SampleCount", period: minute }), 1, 10);
}

const share = (stack, vpc) => ({
  bus: new events.EventBus(stack, "Events"),
  cluster: new ecs.Cluster(stack, "Cluster", { vpc }),
  securityGroup: new ec2.SecurityGroup(stack, "Tasks", { vpc }),
});

// 15 workers are 440 resources.
synthesise(15, share, worker);
