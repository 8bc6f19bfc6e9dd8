-- One database each for whoever keeps something in PostgreSQL; their tables are their own matter.
CREATE DATABASE registry;
CREATE DATABASE email;
CREATE DATABASE views;
