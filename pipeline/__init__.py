"""learning-set: train networks that learn to learn, and analyse them exactly as monkeys are analysed."""
