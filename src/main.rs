//! The program; its verbs come with the rooms that they need.

fn main() {}
