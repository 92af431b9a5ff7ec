"""`ops plan-scaling`: which settings would have served this traffic, and at what price."""
