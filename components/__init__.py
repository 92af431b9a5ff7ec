"""ComponentResources for event-driven systems on Amazon ECS with AWS Fargate."""
