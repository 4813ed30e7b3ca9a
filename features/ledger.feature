@smoke @chain @blocker
Feature: Ledger and contract work without the service
  The ledger and the contract that StreamPay needs are checked directly, without asking the service.

  Scenario: The ledger network is healthy and closes ledgers
    When the ledger network is observed
    Then the ledger network is healthy and closes ledgers on time

  Scenario: The contract has the expected interface
    When the contract is read from the ledger
    Then the contract has the expected interface

  Scenario: The contract accepts new streams and its administrator cannot be replaced
    Given a payer with a funded test account
    When calls to the contract are simulated
    Then the contract accepts a new stream
    And nobody can claim the administrator role

  @contract-admin
  Scenario: Only the expected administrator controls the contract
    When calls to the contract are simulated
    Then only the administrator of this environment controls the contract

  Scenario: A stream is created and settled directly on the contract
    Given a payer and a recipient with funded test accounts
    When the payer pays the recipient with a stream on the contract
    Then the contract pays the recipient the whole amount exactly once
    And the balances change by the amount and the fees only
