"""From a topology and the services' manifests to Amazon ECS, as CloudFormation."""
