"""What is a picture made of? Boxes and wires with what they mean, the visual language, words."""
