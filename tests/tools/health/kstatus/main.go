// kstatus says what Flux (and kubectl-like tools that use kstatus) make of objects.
//
// In: on standard input, a JSON array of Kubernetes objects. Out: on standard output, a JSON array with
// {"status", "message"} for each, in the same order. It judges by the library that kustomize-controller is built
// with, and asks nobody else.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func run() error {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return err
	}
	verdicts := make([]verdict, 0, len(objects))
	for i, raw := range objects {
		// Through this codec and not encoding/json alone: whole numbers must become int64, as they come from an API server.
		decoded, err := runtime.Decode(unstructured.UnstructuredJSONScheme, raw)
		if err != nil {
			return fmt.Errorf("object %d: %w", i, err)
		}
		result, err := status.Compute(decoded.(*unstructured.Unstructured))
		if err != nil {
			return fmt.Errorf("object %d: %w", i, err)
		}
		verdicts = append(verdicts, verdict{string(result.Status), result.Message})
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}
