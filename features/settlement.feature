@smoke @settlement @money @blocker
Feature: Synthetic stream is created and settled
  A settlement is done when the ledger shows the payment. What the service reports is not enough.

  SPECIFICATION: A settlement is refused with a status of its kind of refusal.
    | refusal     | status   |
    | not settled | 409, 422 |

  Background:
    Given the service is ready
    And the service works on a test network
    And the synthetic user is signed in
    And a recipient with a funded test account

  Scenario: A settled stream pays the recipient on the ledger
    Given the user has sent the request to create a stream to the recipient twice
    When the user starts the stream
    Then the stream is active
    When the user settles the stream
    Then only one stream was created
    And the recipient is paid the exact amount by the expected contract during this run
    And the recipient is paid exactly once
    And receipt, record and ledger agree

  Scenario: A settlement refused before the start succeeds after the start
    Given the user has created a stream to the recipient
    When the user settles the stream before its start
    Then the settlement is refused and the stream is unchanged
    When the user starts the stream
    Then the stream is active
    When the user settles the stream with the refused key
    Then the early refusal is not repeated
    When the user settles the stream with a new key if the refused key is used up
    Then the recipient is paid the exact amount by the expected contract during this run

  Scenario: A repeated settlement does not pay the recipient twice
    Given the user has created a stream to the recipient
    And the user has started the stream
    And the user has settled the stream
    When the user repeats the settlement with the same key
    And the user settles the stream again with a new key
    Then the repeated settlement returns the first receipt
    And the settlement with a new key is refused
    And the recipient is paid the exact amount by the expected contract during this run
    And one ledger later the recipient is still paid exactly once
