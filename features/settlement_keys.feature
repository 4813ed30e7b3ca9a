@smoke @settlement @settlement-keys @critical
Feature: Settlement keys and receipts
  A key and a receipt stand for one settlement of one stream, whatever the ledger shows of it.

  Background:
    Given the service is ready
    And it works on a test network
    And the synthetic user is signed in

  @writes
  Scenario: A settlement that failed has changed nothing and is made with its key
    Given the user has asked for a settlement in this run
    When each settlement that failed is repeated with its key
    Then each settlement that failed has left its stream unsettled
    And each settlement that failed is made with its key

  @writes
  Scenario: A receipt and its stream name the same transaction
    Given the user has a settled stream
    When the user opens the settled stream
    Then the receipt names one transaction
    And the stream names the transaction of the receipt

  @writes
  Scenario: A settlement key settles its own stream only
    Given the user has a settled stream
    When the key is used to settle another stream
    Then the key does not answer for the other stream
