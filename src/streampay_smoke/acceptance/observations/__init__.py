"""What is looked up, sampled and waited for: the deployment and the ledger in, plain values for the checks out."""
