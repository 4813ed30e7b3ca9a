@smoke @operations @critical
Feature: The service can be operated
  It answers whoever asks, every time, and those who watch over it can see how it is.

  Scenario: The service answers every time it is asked
    When the service is asked twenty times over whether it is alive
    Then it answers every time, and fails nobody on purpose

  @metrics
  Scenario: Its figures can be read
    When the figures of the service are asked for
    Then they are there for those who watch over it

  @indexer
  Scenario: The index follows the ledger
    When the index is asked twice how far it is
    Then it is at the end of the ledger, and never goes back
