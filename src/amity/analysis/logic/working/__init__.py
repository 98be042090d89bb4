"""Work that takes long: asked for, done by one, told of to all, stopped by those who may."""
