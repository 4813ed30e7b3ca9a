@smoke @chain @blocker
Feature: The ledger itself
  What StreamPay builds on is there and works, seen without asking StreamPay.

  Scenario: The network is healthy and moving
    When the ledger is watched
    Then the network closes ledgers in time with our clock

  Scenario: The expected contract offers the expected interface
    When the contract is looked up on the ledger
    Then it offers everything StreamPay builds on

  Scenario: The contract takes new streams and has an administrator
    Given a payer with a funded test account
    When the contract is asked what it would do
    Then it would take a new stream
    And nobody can make themselves its administrator

  @contract-admin
  Scenario: The contract obeys its administrator
    When the contract is asked what it would do
    Then it would obey the administrator this environment names, and nobody else

  Scenario: A synthetic stream is created and settled on the contract
    Given a payer and a recipient with funded test accounts
    When the payer streams to the recipient and settles at the end
    Then the contract pays the recipient the whole amount exactly once
    And nothing is lost or made on the way
