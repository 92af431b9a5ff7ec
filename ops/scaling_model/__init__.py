"""What Amazon ECS, CloudWatch and Application Auto Scaling would do with a queue's traffic, without any of them.

It stands in `ops`, not in `contracts`: the program deploys policies and decides nothing at run time, so nobody outside
of `ops`, its embedded AWS and the benchmarks needs it. Standard library only, and nothing else of `ops` is imported.

===============  ======================================================================
`decisions`      one decision of a policy: steps, target tracking, cooldowns, bounds
`alarm_rules`    the state of an alarm from its data points
`traffic`        how many messages arrive when: traces and named shapes
`plans`          sets of policies: ours as deployed, and the baselines
`fleet`          a queue and the tasks that work it off
`autoscaling`    metrics, alarms and policies, once a minute
`simulation`     all of it, from a trace to delays and task-hours
`optimum`        what could be had by who knows the future
`cost`           prices
===============  ======================================================================
"""
