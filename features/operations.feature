@smoke @operations @critical
Feature: Service can be operated
  Operators can rely on the answers of the service, and can monitor it.

  Scenario: The service answers every liveness request without an error
    When the service is asked 20 times whether it is alive
    Then every request is answered without an error

  @metrics
  Scenario: The metrics are available
    When the metrics of the service are requested
    Then the metrics are available to authorized callers

  @indexer
  Scenario: The index of the ledger is up to date
    When the position of the index is read twice
    Then the index is up to date and never goes back
