"""What a frame shows and carries: display images and labels."""
