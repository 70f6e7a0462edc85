"""Names of the files in the folder of a trained model."""

CARD_FILE, WEIGHTS = "model.json", "model.safetensors"
