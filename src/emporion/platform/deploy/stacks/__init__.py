"""The stacks of CloudFormation, as an app of the AWS CDK; Node.js runs below it.

Every resource is written out (the CDK's "level 1"): what a template grants stands in the code that
made it, no helper adds a Lambda function or a policy of its own, and ids stay what they are.
"""
