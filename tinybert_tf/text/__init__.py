"""Text in: tokenizer, readers of labeled files, length-bucketed batches, class weights."""
