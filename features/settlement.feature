@smoke @settlement @money @blocker
Feature: Synthetic stream is created and settled
  A settlement is done when the ledger shows the money, not when a service says so.

  Background:
    Given the service is ready
    And it works on a test network
    And the synthetic user is signed in
    And a recipient with a funded test account

  Scenario: A settled stream pays the recipient on the ledger
    Given the user has started a stream to the recipient, asking for it twice
    When the user settles the stream
    Then one stream came of it
    And the recipient is paid the exact amount by the expected contract during this run
    And the recipient is paid exactly once
    And receipt, record and ledger agree

  Scenario: A settlement that is repeated pays nobody again
    Given the user has ordered a stream to the recipient
    And a settlement of the draft is refused and changes nothing
    And the user has started the stream
    And the user has settled the stream with the key that was refused
    When the settlement is repeated with its own key, with a new key, and on another stream
    Then the repeated answer is the first receipt
    And a new key cannot settle the stream again
    And the key does not answer for the other stream
    And the recipient is paid the exact amount by the expected contract during this run
    And a ledger later the recipient is still paid exactly once
