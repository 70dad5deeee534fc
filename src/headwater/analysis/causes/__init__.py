"""What caused a failure, ranked; a rule is a function from a failure to causes, a module for each family of rules.

How sure a rule is (0 to 1) follows these lines, which hold for any adapter:

- What the message says outright goes first: a lock with another run at work on the table, a required variable that is
  not there, a contract that is broken, credentials. A fault of the warehouse that many nodes report at once is one.
- Only what changed between the last good outcome and the failure counts, and only what can matter: comments,
  formatting, descriptions, tags and meta are left out. For a node upstream these are the manifests that its own builds
  were made with, which another job may have built.
- A name in the message decides between changes. A change that lost the missing column, or brought it in, is strong;
  one that has nothing to do with it is weak, however near.
- The failing node's own change is likelier than one upstream, one near likelier than one far off. A syntax error has
  its reason in the node's own text: code, macros, variables and the ephemeral models that are pasted into it.
- Where no code changed the data did: first what shows it in numbers, then what a test further up says, then the source.
- Where nothing explains a failure, it is said where it began, with little confidence.
"""
